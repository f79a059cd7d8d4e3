"""How politely and patiently hosts are asked, and what a download may cost."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from vidal import __version__
from vidal.config.base import Settings

PRODUCT = "vidal"
USER_AGENT = f"{PRODUCT}/{__version__}"


class HostLimits(Settings):
    """At most how often the whole cluster asks one host and its subdomains. A null key takes the value of `crawl`."""

    requests_per_s: float | None = Field(default=None, gt=0)
    burst: int | None = Field(default=None, ge=1)
    host_concurrency: int | None = Field(default=None, ge=1)
    daily_requests: int | None = Field(default=None, ge=1)


class Crawl(Settings):
    """How politely and patiently hosts are asked, and what a download may cost.

    requests_per_s, burst, host_concurrency and daily_requests hold for every host, over the whole cluster; `hosts` has other
    values for some. concurrency: downloads at a time in one worker. attempts: how often work is tried whose failure is
    transient. A host that says it is asked too much is left alone for as long as it says, up to patience_s in all.
    """

    requests_per_s: float = Field(default=2.0, gt=0)
    burst: int = Field(default=4, ge=1)
    host_concurrency: int = Field(default=4, ge=1)
    daily_requests: int | None = Field(default=None, ge=1)
    hosts: dict[str, HostLimits] = Field(default_factory=dict)
    concurrency: int = Field(default=4, ge=1)
    attempts: int = Field(default=3, ge=1)
    backoff_s: float = Field(default=1.0, ge=0)
    backoff_max_s: float = Field(default=60.0, ge=0)
    patience_s: float = Field(default=900.0, ge=0)
    breaker_failures: int = Field(default=10, ge=1)
    breaker_pause_s: float = Field(default=60.0, ge=0)
    # Of one download or page, without the time spent waiting for the host's turn.
    timeout_s: float = Field(default=120.0, gt=0)
    stall_s: float = Field(default=20.0, gt=0)
    max_bytes: int = Field(default=200_000_000, ge=1)
    page_max_bytes: int = Field(default=20_000_000, ge=1)
    max_redirects: int = Field(default=10, ge=0)
    max_pixels: int = Field(default=7680 * 4320, ge=1)
    duration_min_s: float = Field(default=0.0, ge=0)
    duration_tolerance_s: float = Field(default=1.0, ge=0)
    format: str = "best[height<=?720]/best"
    user_agent: str | None = None
    cookies_file: str | None = None
    proxies: tuple[str, ...] = ()
    # yt-dlp's own pauses: before a download (from, to), and between the requests of an extractor.
    sleep_s: tuple[float, float] = (0.0, 0.0)
    sleep_requests_s: float = Field(default=0.0, ge=0)
    # Plain web pages and files: robots.txt is obeyed, and a page that opts out of machine learning is left alone.
    robots: bool = True
    opt_out: tuple[str, ...] = ("noai", "noimageai")
    # SPDX names, with * ("CC-BY*"); empty allows all. licence_unknown: whether a clip without a stated licence passes.
    licences: tuple[str, ...] = ()
    licence_unknown: bool = True
    block_uploaders: tuple[str, ...] = ()
    block_domains: tuple[str, ...] = ()
    allow_hosts: tuple[str, ...] = ()
    # A fixed date for sources that do not change, so that builds are reproducible; null is the time of the fetch.
    retrieved_at: datetime | None = None
