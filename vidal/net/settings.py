"""How often and how patiently hosts are asked, and how large and slow a download may be."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field, model_validator

from vidal import __version__
from vidal.config.base import Settings

PRODUCT = "vidal"
USER_AGENT = f"{PRODUCT}/{__version__}"


class HostLimits(Settings):
    """Limits for one host and its subdomains. All workers of a cluster share them.

    If a key is null, the key of the same name in the section `crawl` applies.
    """

    requests_per_s: float | None = Field(default=None, gt=0)
    """Requests per second."""
    burst: int | None = Field(default=None, ge=1)
    """How many requests may follow each other without waiting, after a pause."""
    host_concurrency: int | None = Field(default=None, ge=1)
    """Simultaneous requests."""
    daily_requests: int | None = Field(default=None, ge=1)
    """Requests per day."""


class Identity(Settings):
    """An account or a proxy of yours, for sites that yt-dlp has an extractor for. Requests of an identity never send
    `crawl.cookies_file`.
    """

    name: str = Field(min_length=1)
    """A name of your choice, by which `vidal plan` and the ledger mention the identity."""
    cookies_file: str | None = None
    """A file with the cookies of the identity, in Netscape's format."""
    proxy: str | None = None
    """The proxy of the identity; null uses one of `crawl.proxies`, if there are any."""
    requests_per_hour: int | None = Field(default=None, ge=1)
    """The largest number of requests per hour; null sets no limit."""
    videos_per_hour: int | None = Field(default=None, ge=1)
    """The largest number of videos per hour; null sets no limit."""
    cool_down_s: float = Field(default=3600.0, gt=0)
    """How long the identity is left alone after a site has blocked it (`rate_limited`, `bot_check`), in seconds, unless the site
    names a longer pause."""


class Crawl(Settings):
    """How often and how patiently hosts are asked, and how large and slow a download may be.

    All workers of a cluster share the limits per host.
    """

    requests_per_s: float = Field(default=2.0, gt=0)
    """The largest number of requests per second to one host."""
    burst: int = Field(default=4, ge=1)
    """How many requests to one host may follow each other without waiting, after a pause."""
    host_concurrency: int = Field(default=4, ge=1)
    """The largest number of simultaneous requests to one host."""
    daily_requests: int | None = Field(default=None, ge=1)
    """The largest number of requests per day to one host; null sets no limit."""
    hosts: dict[str, HostLimits] = Field(default_factory=dict)
    """Other limits for some hosts and their subdomains, by the name of the host: {example.org: {requests_per_s: 1}}."""
    concurrency: int = Field(default=4, ge=1)
    """Simultaneous downloads of one worker."""
    parts_at_once: int = Field(default=4, ge=1)
    """How many parts of a shard one worker of the crawl works on at the same time, so that a slow host does not keep it from the
    candidates of other parts."""
    attempts: int = Field(default=3, ge=1)
    """How often a download is attempted in all, if its failures are transient (a later attempt may succeed)."""
    backoff_s: float = Field(default=1.0, ge=0)
    """The pause before the second attempt is a random time from 0 to this number of seconds. The upper bound doubles with each
    further attempt."""
    backoff_max_s: float = Field(default=60.0, ge=0)
    """The upper bound that backoff_s describes grows no further than this, in seconds."""
    patience_s: float = Field(default=900.0, ge=0)
    """How many seconds a candidate waits in total for a host that is paused or busy; then it fails, and can be retried. For an identity
    whose budget is used up, this limits each wait, not their sum."""
    breaker_failures: int = Field(default=10, ge=1)
    """After this many failures in a row, a host is left alone for breaker_pause_s."""
    breaker_pause_s: float = Field(default=60.0, ge=0)
    """How long a host is left alone after breaker_failures failures, in seconds."""
    block_pause_s: float = Field(default=3600.0, ge=0)
    """How long a host is left alone after it has asked whether a person or a robot is there (`bot_check`), in seconds."""
    timeout_s: float = Field(default=120.0, gt=0)
    """The longest time for one candidate, in seconds: page, download and all attempts together, without the waits until a host may be
    asked."""
    stall_s: float = Field(default=20.0, gt=0)
    """The longest time in which no byte of a download arrives, in seconds."""
    max_bytes: int = Field(default=200_000_000, ge=1)
    """The largest number of bytes that are downloaded for one candidate, pages included. For media that you have already: the size of
    the largest file."""
    page_max_bytes: int = Field(default=20_000_000, ge=1)
    """The largest web page, in bytes."""
    page_cpu_s: float = Field(default=10.0, gt=0)
    """CPU seconds for finding the media on a page. A separate process does this, and is killed if it needs more."""
    max_redirects: int = Field(default=10, ge=0)
    """The largest number of redirects that one request follows."""
    max_pixels: int = Field(default=7680 * 4320, ge=1)
    """The largest frame, in pixels: width times height."""
    duration_min_s: float = Field(default=0.0, ge=0)
    """The shortest clip, in seconds."""
    duration_tolerance_s: float = Field(default=1.0, ge=0)
    """The tolerance of durations, in seconds: a span of your list may end this much after the end of its file, and a stored clip may
    be this much longer than the longest duration."""
    format: str = "bestvideo*[height<=?720]+bestaudio/best[height<=?720]/bestvideo*+bestaudio/best"
    """Which file of a page is downloaded: a format selection of yt-dlp. Pictures and sound that come as separate files are merged."""
    extractor_args: dict[str, dict[str, tuple[str, ...]]] = Field(default_factory=dict)
    """Arguments for the extractors of yt-dlp, such as {youtube: {player_client: [web_safari]}}, and for its plugins that provide PO
    tokens, which YouTube may ask for."""
    subtitles: tuple[str, ...] = ()
    """Languages of the subtitles that become the view subtitle, such as [en, de], the preferred one first. Each video then costs one
    more request. Empty fetches none."""
    user_agent: str | None = None
    """The header User-Agent of all requests; null names vidal and its version."""
    cookies_file: str | None = None
    """A file with cookies, in Netscape's format."""
    netrc_file: str | None = None
    """A netrc file with the user names and passwords of hosts and proxies. The dataset stores neither these nor those inside a URL."""
    proxies: tuple[str, ...] = ()
    """The addresses of proxies. The workers use them in turn."""
    identities: tuple[Identity, ...] = ()
    """Your own accounts or proxies for the sites that yt-dlp has an extractor for. The candidates are divided among them."""
    share_identities: bool = False
    """Whether another identity takes over the work of one that is paused or has used up its budget. Otherwise, that work waits."""
    sleep_s: tuple[float, float] = (0.0, 0.0)
    """The shortest and the longest pause of yt-dlp before a download, in seconds."""
    sleep_requests_s: float = Field(default=0.0, ge=0)
    """The pause of yt-dlp between the requests of an extractor, in seconds."""
    robots: bool = True
    """Whether robots.txt, ai.txt and tdmrep.json are obeyed for plain pages and files, and for what these embed or redirect to."""
    robots_for_sources: bool = False
    """Whether robots.txt, ai.txt and tdmrep.json are also obeyed for sites that yt-dlp has an extractor for, and for sources with an
    API."""
    opt_out: tuple[str, ...] = ("noai", "noimageai", "none")
    """A page or file with one of these values in its header X-Robots-Tag or in its meta tag robots is not used. If the list is empty,
    ai.txt and TDMRep are not obeyed either."""
    licences: tuple[str, ...] = ()
    """The allowed licences: SPDX names, in which * stands for any text, such as [CC0-1.0, 'CC-BY*']. Empty allows all."""
    licence_unknown: bool = True
    """Whether a candidate without a stated licence passes, if `licences` is not empty."""
    block_uploaders: tuple[str, ...] = ()
    """Uploaders whose videos and sounds are dropped."""
    block_domains: tuple[str, ...] = ()
    """Domains to which no request is sent."""
    allow_hosts: tuple[str, ...] = ()
    """Hosts with private or loopback addresses to which requests may be sent. The option --allow-host allows others for one command."""
    retrieved_at: datetime | None = None
    """A fixed value for the column retrieved_at, so that two builds give the same bytes; null stores the time of each download."""

    def limits_of(self, host: str) -> HostLimits:
        """Returns the limits for a host.

        An entry of `hosts` applies if its name is the host or a parent domain of the host; the longest such name wins. Keys that are null
        in this entry, and all keys if no entry applies, take their values from `crawl`.
        """
        names = [name for name in self.hosts if host == name or host.endswith(f".{name}")]
        own = self.hosts[max(names, key=len)] if names else HostLimits()
        values = {name: getattr(own, name) or getattr(self, name) for name in HostLimits.model_fields}
        return HostLimits.model_validate(values)

    def obeys_robots(self, is_plain: bool) -> bool:
        """Returns whether robots.txt and similar files are obeyed for an address. is_plain: it is fetched without an extractor or API."""
        return self.robots and (is_plain or self.robots_for_sources)

    @model_validator(mode="after")
    def _check_identities(self) -> Crawl:
        names = [identity.name for identity in self.identities]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"identities: the name {twice[0]!r} is used twice: give each identity its own")
        return self
