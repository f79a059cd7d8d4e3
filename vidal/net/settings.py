"""How often and how patiently hosts are asked, and how large and slow a download may be."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field, model_validator

from vidal import __version__
from vidal.config.base import Settings

PRODUCT = "vidal"
USER_AGENT = f"{PRODUCT}/{__version__}"


class HostLimits(Settings):
    """Limits for one host and its subdomains, counted over the whole cluster. A key that is null takes its value from `crawl`."""

    requests_per_s: float | None = Field(default=None, gt=0)
    """Requests per second."""
    burst: int | None = Field(default=None, ge=1)
    """Requests that may follow each other without waiting, after a pause."""
    host_concurrency: int | None = Field(default=None, ge=1)
    """Requests at the same time."""
    daily_requests: int | None = Field(default=None, ge=1)
    """Requests per day."""


class Identity(Settings):
    """An account or a proxy of the user, for sites that yt-dlp has an extractor for. Its requests never send `crawl.cookies_file`."""

    name: str = Field(min_length=1)
    """The name by which `vidal plan` and the ledger mention it."""
    cookies_file: str | None = None
    """Its cookies, in Netscape's format."""
    proxy: str | None = None
    """Its proxy; null means one of `crawl.proxies`, if there are any."""
    requests_per_hour: int | None = Field(default=None, ge=1)
    """Its requests per hour; null means no limit."""
    videos_per_hour: int | None = Field(default=None, ge=1)
    """Its videos per hour; null means no limit."""
    cool_down_s: float = Field(default=3600.0, gt=0)
    """How long it is left alone after a block (`rate_limited`, `bot_check`), unless the site names a longer pause."""


class Crawl(Settings):
    """How often and how patiently hosts are asked, and how large and slow a download may be. Limits hold for the whole cluster."""

    requests_per_s: float = Field(default=2.0, gt=0)
    """Requests per second to one host, by the whole cluster."""
    burst: int = Field(default=4, ge=1)
    """Requests to one host that may follow each other without waiting, after a pause."""
    host_concurrency: int = Field(default=4, ge=1)
    """Requests to one host at the same time."""
    daily_requests: int | None = Field(default=None, ge=1)
    """Requests to one host per day; null means no limit."""
    hosts: dict[str, HostLimits] = Field(default_factory=dict)
    """Other limits for some hosts and their subdomains, by the name of the host."""
    concurrency: int = Field(default=4, ge=1)
    """Simultaneous downloads in one worker."""
    parts_at_once: int = Field(default=4, ge=1)
    """How many parts the downloads of one worker may belong to, so that a slow host does not keep it from the next part."""
    attempts: int = Field(default=3, ge=1)
    """How often work with a transient failure is tried."""
    backoff_s: float = Field(default=1.0, ge=0)
    """The pause before the second attempt is drawn at random from 0 to this. The limit doubles with each further attempt."""
    backoff_max_s: float = Field(default=60.0, ge=0)
    """The largest value that this limit grows to."""
    patience_s: float = Field(default=900.0, ge=0)
    """How long a candidate waits in total for a host that is paused or busy. Also the longest single wait for an identity whose budget is
    used up; such waits do not add up."""
    breaker_failures: int = Field(default=10, ge=1)
    """Failures in a row after which a host is left alone."""
    breaker_pause_s: float = Field(default=60.0, ge=0)
    """How long a host is left alone after breaker_failures failures."""
    block_pause_s: float = Field(default=3600.0, ge=0)
    """How long a host is left alone after it has asked for proof that a person is there (`bot_check`)."""
    timeout_s: float = Field(default=120.0, gt=0)
    """Longest time for one candidate: page, download and all attempts together, not counting waits until a host may be asked."""
    stall_s: float = Field(default=20.0, gt=0)
    """Longest time of a download without a byte."""
    max_bytes: int = Field(default=200_000_000, ge=1)
    """Most bytes that are downloaded for one candidate, pages included. For media that you have already: largest file, in bytes."""
    page_max_bytes: int = Field(default=20_000_000, ge=1)
    """Largest web page, in bytes."""
    page_cpu_s: float = Field(default=10.0, gt=0)
    """CPU seconds for finding the media of a page. A separate process does this, and is killed if it needs more."""
    max_redirects: int = Field(default=10, ge=0)
    """The largest number of redirects of one request."""
    max_pixels: int = Field(default=7680 * 4320, ge=1)
    """Largest frame, width times height."""
    duration_min_s: float = Field(default=0.0, ge=0)
    """Shortest clip."""
    duration_tolerance_s: float = Field(default=1.0, ge=0)
    """How far a span may reach beyond the end of its file, and a stored clip beyond the longest duration allowed."""
    format: str = "bestvideo*[height<=?720]+bestaudio/best[height<=?720]/bestvideo*+bestaudio/best"
    """A format selection of yt-dlp. Pictures and sound that come as separate files are merged."""
    extractor_args: dict[str, dict[str, tuple[str, ...]]] = Field(default_factory=dict)
    """Arguments for extractors of yt-dlp and for its providers of PO tokens: {youtube: {player_client: [web_safari]}}."""
    subtitles: tuple[str, ...] = ()
    """Languages ("en") of the subtitles that become the view `subtitle`, the best first. Each video then costs one more request."""
    user_agent: str | None = None
    """The User-Agent; null names vidal and its version."""
    cookies_file: str | None = None
    """A cookies file in Netscape's format."""
    netrc_file: str | None = None
    """A netrc file with the users and passwords of hosts and proxies. The dataset stores neither these nor those inside a URL."""
    proxies: tuple[str, ...] = ()
    """Proxies; the workers use them in turn."""
    identities: tuple[Identity, ...] = ()
    """The user's own identities for the sites that yt-dlp has an extractor for. The candidates are divided among them."""
    share_identities: bool = False
    """Whether another identity takes over the work of one that is paused or has used up its budget. Otherwise that work waits."""
    sleep_s: tuple[float, float] = (0.0, 0.0)
    """yt-dlp's pause before a download: the shortest and the longest."""
    sleep_requests_s: float = Field(default=0.0, ge=0)
    """yt-dlp's pause between the requests of an extractor."""
    robots: bool = True
    """Whether robots.txt, ai.txt and tdmrep.json are obeyed for plain pages and files, and for what these embed or lead to."""
    robots_for_sources: bool = False
    """Whether the three files of `robots` are also obeyed for sites that yt-dlp has an extractor for, and for sources with an API."""
    opt_out: tuple[str, ...] = ("noai", "noimageai", "none")
    """Values of X-Robots-Tag and of meta tags that opt a page or file out; if empty, ai.txt and TDMRep are not obeyed either."""
    licences: tuple[str, ...] = ()
    """Allowed licences: SPDX names, in which * matches anything ("CC-BY*"); empty allows all."""
    licence_unknown: bool = True
    """Whether a clip without a stated licence passes."""
    block_uploaders: tuple[str, ...] = ()
    """Uploaders whose clips are dropped."""
    block_domains: tuple[str, ...] = ()
    """Domains that are never asked."""
    allow_hosts: tuple[str, ...] = ()
    """Hosts in private or loopback ranges that may be asked."""
    retrieved_at: datetime | None = None
    """A fixed value of the column `retrieved_at`, so that builds are reproducible; null means the time of the download."""

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
