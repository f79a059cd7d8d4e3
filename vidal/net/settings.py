"""How often and how patiently hosts are asked, and how large and slow a download may be."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field, model_validator

from vidal import __version__
from vidal.config.base import Settings

PRODUCT = "vidal"
USER_AGENT = f"{PRODUCT}/{__version__}"


class HostLimits(Settings):
    """Limits for one host and its subdomains. `null` uses the value of the same key in `crawl`."""

    requests_per_s: float | None = Field(default=None, gt=0)
    """Largest number of requests per second."""
    burst: int | None = Field(default=None, ge=1)
    """After a time without requests, this many requests may be sent without waiting."""
    host_concurrency: int | None = Field(default=None, ge=1)
    """Largest number of simultaneous requests."""
    daily_requests: int | None = Field(default=None, ge=1)
    """Largest number of requests per day."""


class Identity(Settings):
    """An identity is an account of yours, a proxy, or both, for sites that yt-dlp has an extractor for. Its requests never send
    `crawl.cookies_file`.
    """

    name: str = Field(min_length=1)
    """Your name for the identity."""
    cookies_file: str | None = None
    """A file with cookies, in Netscape's format."""
    proxy: str | None = None
    """Proxy of the identity. `null` uses one of `crawl.proxies`, if there are any."""
    requests_per_hour: int | None = Field(default=None, ge=1)
    """Largest number of requests per hour."""
    videos_per_hour: int | None = Field(default=None, ge=1)
    """Largest number of videos per hour."""
    cool_down_s: float = Field(default=3600.0, gt=0)
    """How long the identity pauses after a site has blocked it (reason `rate_limited` or `bot_check`). If the site names a longer pause,
    that pause applies."""


class Crawl(Settings):
    """Limits for requests and downloads. All workers of a cluster share the limits per host."""

    requests_per_s: float = Field(default=2.0, gt=0)
    """Largest number of requests per second to one host."""
    burst: int = Field(default=4, ge=1)
    """After a time without requests, this many requests to one host may be sent without waiting."""
    host_concurrency: int = Field(default=4, ge=1)
    """Largest number of simultaneous requests to one host."""
    daily_requests: int | None = Field(default=None, ge=1)
    """Largest number of requests per day to one host."""
    hosts: dict[str, HostLimits] = Field(default_factory=dict)
    """Other limits for some hosts, such as `{example.org: {requests_per_s: 1}}`."""
    concurrency: int = Field(default=4, ge=1)
    """Largest number of simultaneous downloads of one worker."""
    parts_at_once: int = Field(default=4, ge=1)
    """How many parts of a shard one worker crawls at the same time. With more parts, a slow host delays fewer candidates."""
    attempts: int = Field(default=3, ge=1)
    """Largest number of attempts of a download. Only failures that may pass, such as timeouts, are tried again."""
    backoff_s: float = Field(default=1.0, ge=0)
    """The pause before the second attempt is random, from 0 to this number of seconds. This upper bound doubles with each further
    attempt."""
    backoff_max_s: float = Field(default=60.0, ge=0)
    """Longest pause that `backoff_s` can grow to."""
    patience_s: float = Field(default=900.0, ge=0)
    """How long a candidate waits in total for a host that is paused or busy, before it fails. For a paused
    [identity](#crawlidentities), it limits each single wait."""
    breaker_failures: int = Field(default=10, ge=1)
    """After this many failures in a row, a host is left alone for a while."""
    breaker_pause_s: float = Field(default=60.0, ge=0)
    """How long a host is left alone after `breaker_failures` failures."""
    block_pause_s: float = Field(default=3600.0, ge=0)
    """How long a host is left alone after it has suspected a robot (reason `bot_check`)."""
    timeout_s: float = Field(default=120.0, gt=0)
    """Longest time for the page, the download and all attempts of one candidate. Waits for a host do not count."""
    stall_s: float = Field(default=20.0, gt=0)
    """A download fails if no byte arrives for this long."""
    max_bytes: int = Field(default=200_000_000, ge=1)
    """Largest number of bytes that are downloaded for one candidate, pages included. For media that you have already, it limits the
    size of each file."""
    page_max_bytes: int = Field(default=20_000_000, ge=1)
    """Largest web page, in bytes."""
    page_cpu_s: float = Field(default=10.0, gt=0)
    """CPU time for finding the media on one page."""
    max_redirects: int = Field(default=10, ge=0)
    """Largest number of redirects of one request."""
    max_pixels: int = Field(default=7680 * 4320, ge=1)
    """Largest frame, in pixels (width times height)."""
    duration_min_s: float = Field(default=0.0, ge=0)
    """Shorter clips are left out (reason `too_short`)."""
    duration_tolerance_s: float = Field(default=1.0, ge=0)
    """A span (`start_s`, `end_s`) of your list may end this much after the end of its file. A stored clip may be this much longer than
    `text.duration_max_s`."""
    format: str = "bestvideo*[height<=?720]+bestaudio/best[height<=?720]/bestvideo*+bestaudio/best"
    """Which file of a page is downloaded, as a format selection of yt-dlp."""
    extractor_args: dict[str, dict[str, tuple[str, ...]]] = Field(default_factory=dict)
    """Arguments for extractors and plugins of yt-dlp, such as `{youtube: {player_client: [web_safari]}}`."""
    subtitles: tuple[str, ...] = ()
    """Languages of the view `subtitle`, the preferred one first, such as `[en, de]`. Each video then costs one more request. An empty
    list fetches no subtitles."""
    user_agent: str | None = None
    """The header User-Agent. `null` names vidal and its version."""
    cookies_file: str | None = None
    """A file with cookies, in Netscape's format."""
    netrc_file: str | None = None
    """A netrc file with user names and passwords of hosts and proxies. The dataset never stores passwords."""
    proxies: tuple[str, ...] = ()
    """Addresses of proxies. The workers use them in turn."""
    identities: tuple[Identity, ...] = ()
    """Your own accounts or proxies. The candidates are divided among them."""
    share_identities: bool = False
    """Whether another identity takes over the work of an identity that was blocked or has reached a limit per hour. If false, the
    work waits."""
    sleep_s: tuple[float, float] = (0.0, 0.0)
    """Shortest and longest pause of yt-dlp before a download."""
    sleep_requests_s: float = Field(default=0.0, ge=0)
    """Pause of yt-dlp between the requests of an extractor."""
    robots: bool = True
    """Whether robots.txt, ai.txt and tdmrep.json are obeyed for plain pages and files, and for what these embed or redirect to."""
    robots_for_sources: bool = False
    """Whether these three files are also obeyed for sites that yt-dlp has an extractor for, and for sources with an API. Needs
    `robots: true`."""
    opt_out: tuple[str, ...] = ("noai", "noimageai", "none")
    """A page or file with one of these values in its header X-Robots-Tag or meta tag robots is not used. An empty list turns off
    this check, and those of ai.txt and tdmrep.json."""
    licences: tuple[str, ...] = ()
    """Allowed licences, as SPDX names in which `*` stands for any text, such as `[CC0-1.0, 'CC-BY*']`. An empty list allows all."""
    licence_unknown: bool = True
    """Whether a candidate without a stated licence passes, if `licences` is not empty."""
    block_uploaders: tuple[str, ...] = ()
    """Uploaders whose videos and sounds are dropped."""
    block_domains: tuple[str, ...] = ()
    """Domains to which no request is sent."""
    allow_hosts: tuple[str, ...] = ()
    """Hosts with private or loopback addresses to which requests may be sent. The option `--allow-host` allows others for one
    command."""
    retrieved_at: datetime | None = None
    """A fixed date and time for the column `retrieved_at`, so that two builds give the same bytes. `null` stores the time of each
    download."""

    def limits_of(self, host: str) -> HostLimits:
        """Returns the limits for a host.

        An entry of `hosts` is meant for the host of this name and for its subdomains. If several entries fit a host, the entry with the
        longest name is used. A limit that is null in this entry comes from `crawl`. If no entry fits, all limits come from `crawl`.
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
