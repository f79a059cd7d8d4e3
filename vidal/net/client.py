"""yt-dlp with a single way to the network: extractors, downloaders and our own requests all pass through `Client.urlopen`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import yt_dlp
from yt_dlp.networking import Request
from yt_dlp.networking._requests import RequestsRH
from yt_dlp.networking.common import Response
from yt_dlp.networking.exceptions import HTTPError, NoSupportingHandlers, RequestError
from yt_dlp.postprocessor import FFmpegMergerPP
from yt_dlp.utils import determine_protocol

from vidal.errors import RecordError
from vidal.media import ffmpeg
from vidal.net.address_guard import AddressGuard, Connections, ForbiddenAddress
from vidal.net.errors import classify_error, find_own_error
from vidal.net.governor import Governor
from vidal.net.settings import USER_AGENT, Crawl
from vidal.net.urls import hostname
from vidal.net.video_info import VideoInfo
from vidal.net.watchdog import Watchdog
from vidal.net.work_budget import WorkBudget, WorkStopped
from vidal.schema import Reason

# Protocols that yt-dlp downloads itself, through `Client.urlopen`: files, and segments of HLS, DASH, Smooth Streaming and HDS.
_NATIVE_PROTOCOLS = {
    "http",
    "https",
    "m3u8",
    "m3u8_native",
    "http_dash_segments",
    "http_dash_segments_generator",
    "ism",
    "f4m",
}

# yt-dlp's options, and its information about a video.
Options = dict[str, object]


class Client(yt_dlp.YoutubeDL):  # type: ignore[misc]  # yt-dlp has no annotations.
    """A YoutubeDL for one thread at a time that waits for hosts, counts bytes, and refuses forbidden addresses and programs.

    Creating a client costs more than a small download, so clients are reused.
    """

    def __init__(
        self,
        crawl: Crawl,
        governor: Governor,
        guard: AddressGuard,
        watchdog: Watchdog,
        options: Options,
        proxy: str | None = None,
    ):
        self.crawl, self.governor, self.guard = crawl, governor, guard
        self._watchdog, self._connections = watchdog, Connections()
        self._budget: WorkBudget | None = None
        super().__init__({**_options(crawl, proxy), **options})

    @contextlib.contextmanager
    def work(self) -> Iterator[None]:
        """Surrounds one description, search or download. Its time and bytes count from here.

        An error of a server, of the connection or of yt-dlp is raised as a RecordError; an error of our own code is not changed.
        """
        crawl = self.crawl
        budget = self._budget = WorkBudget(crawl.timeout_s, crawl.max_bytes, crawl.page_max_bytes)
        try:
            with self.guard.enforce(self._connections), self._watchdog.watch(budget, self._connections):
                yield
        except WorkStopped as error:
            raise error.error from error
        except RecordError:
            raise
        except Exception as error:
            if budget.is_over:  # The watchdog shut the connections, so a read from them failed in some way.
                raise budget.timeout_error() from error
            own = find_own_error(error)
            if own is error:
                raise
            if own is not None:  # yt-dlp wraps exceptions that are raised inside it.
                raise own from None
            raise classify_error(error) from error
        finally:
            self._budget = None

    def get(self, url: str, **headers: str) -> Response:
        """Sends a GET request with our User-Agent. headers: further headers, with "_" for "-" in their names. Raises as urlopen does."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.urlopen(Request(url, headers={"User-Agent": self.crawl.user_agent or USER_AGENT, **named}))

    def urlopen(self, req: Request | str) -> Response:
        """Sends a request; every request of this client passes here. Raises yt-dlp's RequestErrors, and WorkStopped if it is refused."""
        request = Request(req) if isinstance(req, str) else req
        budget = self._budget
        if budget is None:
            raise RuntimeError("a request outside Client.work")
        host = self.admit(request.url)
        try:
            response = super().urlopen(request)
        except NoSupportingHandlers as error:
            # Here yt-dlp collects exceptions that it does not know, such as the one for a refused redirect.
            raise next((e for e in error.unexpected_errors if isinstance(e, WorkStopped)), error) from error
        except HTTPError as error:
            self.governor.record_failure(host, classify_error(error))
            budget.bound(error.response)
            raise
        except RequestError as error:
            self.governor.record_failure(host, classify_error(error))
            raise
        self.governor.record_success(host)
        return budget.bound(response)

    def admit(self, url: str) -> str:
        """Waits until the host of the address may be asked, and returns the host. Raises WorkStopped if it may not be asked."""
        host, budget = hostname(url), self._budget
        try:
            if urlsplit(url).scheme not in ("http", "https"):
                raise RecordError(Reason.FORBIDDEN_SCHEME, f"{url[:200]}: only http and https addresses can be fetched")
            self._check_domain(host)
            self.guard.check_host(host)
            if budget:
                budget.check()
                budget.extend(self.governor.admit(host))
        except ForbiddenAddress as error:
            raise WorkStopped(RecordError(Reason.FORBIDDEN_ADDRESS, str(error))) from error
        except RecordError as error:
            raise WorkStopped(error) from error
        return host

    def dl(self, name: str, info: VideoInfo, subtitle: bool = False, test: bool = False) -> Any:
        """Downloads one or several formats. Raises WorkStopped if that needs another program, which would bypass `urlopen`."""
        protocols = {determine_protocol(format_) for format_ in info.get("requested_formats") or [info]}
        if others := sorted(protocols - _NATIVE_PROTOCOLS):
            detail = f"only http and https can be fetched, not {', '.join(others)}"
            raise WorkStopped(RecordError(Reason.FORBIDDEN_SCHEME, detail))
        return super().dl(name, info, subtitle, test)

    def run_pp(self, pp: Any, infodict: VideoInfo) -> VideoInfo:
        """Merges video and audio that arrived as two files, with our own ffmpeg, which only opens media."""
        if not isinstance(pp, FFmpegMergerPP):
            processed: VideoInfo = super().run_pp(pp, infodict)
            return processed
        try:
            ffmpeg.merge([Path(name) for name in infodict["__files_to_merge"]], Path(infodict["filepath"]))
        except RecordError as error:
            raise WorkStopped(error) from error
        return infodict

    def save_cookies(self) -> None:
        """Does nothing: the recipe's cookies file is only read, because many clients share it."""

    def _check_domain(self, host: str) -> None:
        for domain in self.crawl.block_domains:
            if host == domain or host.endswith(f".{domain}"):
                raise RecordError(Reason.BLOCKED_DOMAIN, f"{host}: the recipe blocks {domain}")

    def build_request_director(self, handlers: Iterable[Any], preferences: Any = None) -> Any:
        """Keeps only the handler that streams and uses Python's sockets; the others would bypass the address guard."""
        director = super().build_request_director([_VidalRH], preferences)
        for handler in director.handlers.values():
            handler.client = self
        return director


class _VidalRH(RequestsRH):  # type: ignore[misc]  # yt-dlp has no annotations. It also wants names that end in "RH".
    """yt-dlp's handler over `requests`, with our limit on redirects and a check of each of them."""

    client: Client

    def _create_instance(self, *args: Any, **kwargs: Any) -> Any:
        session = super()._create_instance(*args, **kwargs)
        session.max_redirects = self.client.crawl.max_redirects
        session.hooks["response"].append(self._admit_redirect)
        return session

    def _admit_redirect(self, response: Any, **_: Any) -> None:
        """Treats a redirect as a request: its target is checked and its host waited for. Its body may be endless, so it is not read."""
        if not response.is_redirect:
            return
        response._content, response._content_consumed = b"", True
        response.close()
        self.client.admit(urljoin(response.url, response.headers["location"]))


class _Silent:
    """A logger without output: yt-dlp's messages reach the ledger as exceptions, and its console output would drown the progress."""

    def debug(self, message: str) -> None: ...
    def info(self, message: str) -> None: ...
    def warning(self, message: str) -> None: ...
    def error(self, message: str) -> None: ...


def _options(crawl: Crawl, proxy: str | None) -> Options:
    options: Options = {
        "logger": _Silent(),
        "quiet": True,
        "noprogress": True,
        "extract_flat": "in_playlist",
        "noplaylist": True,
        "format": crawl.format,
        "outtmpl": {"default": "media.%(ext)s"},
        "overwrites": True,
        "cachedir": False,
        "updatetime": False,
        "writethumbnail": False,
        # The governor makes and counts the attempts; retries by yt-dlp would hide some of them.
        "retries": 0,
        "fragment_retries": 0,
        "extractor_retries": 0,
        "file_access_retries": 0,
        "skip_unavailable_fragments": False,
        "socket_timeout": crawl.stall_s,
        "hls_prefer_native": True,
        "ffmpeg_location": ffmpeg.executable(),
        # A download is probed before any ffmpeg opens it, and re-encoding a file that is not an MP4 also repairs it.
        "fixup": "never",
        "extractor_args": {},
    }
    if crawl.cookies_file:
        options["cookiefile"] = crawl.cookies_file
    if proxy:
        options["proxy"] = proxy
    if crawl.user_agent:
        options["http_headers"] = {"User-Agent": crawl.user_agent}
    if crawl.sleep_s[1]:
        options["sleep_interval"], options["max_sleep_interval"] = crawl.sleep_s
    if crawl.sleep_requests_s:
        options["sleep_interval_requests"] = crawl.sleep_requests_s
    return options
