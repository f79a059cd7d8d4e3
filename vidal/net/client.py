"""yt-dlp with one way out to the network. Extractors, downloaders and our own requests all pass `Client.urlopen`."""

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
from vidal.net.address_guard import Connections, ForbiddenAddress, Guard, host_of
from vidal.net.budget import Budget, Stopped
from vidal.net.errors import from_ytdlp, own_error
from vidal.net.governor import Governor
from vidal.net.settings import Crawl
from vidal.net.watchdog import Watchdog
from vidal.schema import Reason

# Downloads that yt-dlp does itself, over `Client.urlopen`: files, and the segments of HLS, DASH, Smooth Streaming and Adobe's HDS.
_NATIVE = {"http", "https", "m3u8", "m3u8_native", "http_dash_segments", "http_dash_segments_generator", "ism", "f4m"}


class Client(yt_dlp.YoutubeDL):
    """For one thread at a time: making one costs more than a small download. Waits for hosts, counts bytes, refuses what may not be."""

    def __init__(
        self,
        crawl: Crawl,
        governor: Governor,
        guard: Guard,
        watchdog: Watchdog,
        options: dict[str, Any],
        proxy: str | None = None,
    ):
        self.crawl, self.governor, self.guard = crawl, governor, guard
        self._watchdog, self._connections = watchdog, Connections()
        self._budget: Budget | None = None
        super().__init__({**_options(crawl, proxy), **options})

    @contextlib.contextmanager
    def work(self) -> Iterator[None]:
        """One description or download: its limits begin here.

        What goes wrong at a server, on the way or in yt-dlp leaves as a RecordError, an error of our own code as it is.
        """
        crawl = self.crawl
        budget = self._budget = Budget(crawl.timeout_s, crawl.max_bytes, crawl.page_max_bytes)
        try:
            with self.guard.on(self._connections), self._watchdog.watching(budget, self._connections):
                yield
        except Stopped as error:
            raise error.error from error
        except RecordError:
            raise
        except Exception as error:
            if budget.is_over:  # Its connections were shut: whatever was reading from them has failed somehow.
                raise budget.timeout() from error
            own = own_error(error)
            if own is error:
                raise
            if own is not None:  # yt-dlp wraps what is raised in the midst of it.
                raise own from None
            raise from_ytdlp(error) from error
        finally:
            self._budget = None

    def urlopen(self, req: Request | str) -> Response:
        """Raises yt-dlp's RequestErrors, and Stopped."""
        request = Request(req) if isinstance(req, str) else req
        budget = self._budget
        if budget is None:
            raise RuntimeError("a request outside Client.work")
        host = self.admit(request.url)
        try:
            response = super().urlopen(request)
        except NoSupportingHandlers as error:
            # Where yt-dlp puts what it does not know, such as a redirect that was stopped.
            raise next((e for e in error.unexpected_errors if isinstance(e, Stopped)), error) from error
        except HTTPError as error:
            self._failed(host, error)
            budget.bound(error.response)
            raise
        except RequestError as error:
            self._failed(host, error)
            raise
        self.governor.record_success(host)
        return budget.bound(response)

    def admit(self, url: str) -> str:
        """Waits for the turn of the address's host, and gives it. Raises Stopped where it may not be asked."""
        host, budget = host_of(url), self._budget
        try:
            if urlsplit(url).scheme not in ("http", "https"):
                raise RecordError(Reason.FORBIDDEN_SCHEME, f"{url[:200]}: only http and https addresses are fetched")
            self._check_domain(host)
            self.guard.check_host(host)
            if budget:
                budget.check()
                budget.extend(self.governor.admit(host))
        except ForbiddenAddress as error:
            raise Stopped(RecordError(Reason.FORBIDDEN_ADDRESS, str(error))) from error
        except RecordError as error:
            raise Stopped(error) from error
        return host

    def dl(self, name: str, info: dict[str, Any], subtitle: bool = False, test: bool = False) -> Any:
        """A download of one format or of several. Raises Stopped where it needs another program, which would pass `urlopen` by."""
        protocols = {determine_protocol(each) for each in info.get("requested_formats") or [info]}
        if other := sorted(protocols - _NATIVE):
            raise Stopped(RecordError(Reason.FORBIDDEN_SCHEME, f"only http and https are fetched, not {', '.join(other)}"))
        return super().dl(name, info, subtitle, test)

    def run_pp(self, pp: Any, infodict: dict[str, Any]) -> dict[str, Any]:
        """Pictures and sound that arrived as two files are put together by our own ffmpeg, which opens nothing but media."""
        if not isinstance(pp, FFmpegMergerPP):
            return super().run_pp(pp, infodict)
        try:
            ffmpeg.merge([Path(name) for name in infodict["__files_to_merge"]], Path(infodict["filepath"]))
        except RecordError as error:
            raise Stopped(error) from error
        return infodict

    def save_cookies(self) -> None:
        """The recipe's cookies file is only read: many clients share it."""

    def _check_domain(self, host: str) -> None:
        for domain in self.crawl.block_domains:
            if host == domain or host.endswith(f".{domain}"):
                raise RecordError(Reason.BLOCKED_DOMAIN, f"{host}: the recipe blocks {domain}")

    def _failed(self, host: str, error: RequestError) -> None:
        self.governor.record_failure(host, from_ytdlp(error))

    def build_request_director(self, handlers: Iterable[Any], preferences: Any = None) -> Any:
        """Only the handler that streams, whose sockets are Python's: others would pass the guard by."""
        director = super().build_request_director([_VidalRH], preferences)
        for handler in director.handlers.values():
            handler.client = self
        return director


class _VidalRH(RequestsRH):
    client: Client

    def _create_instance(self, *args: Any, **kwargs: Any) -> Any:
        session = super()._create_instance(*args, **kwargs)
        session.max_redirects = self.client.crawl.max_redirects
        session.hooks["response"].append(self._redirect)
        return session

    def _redirect(self, response: Any, **_: Any) -> None:
        """A redirect is a request: its target is judged and waited for. Its body is not read: it may have no end."""
        if not response.is_redirect:
            return
        response._content, response._content_consumed = b"", True
        response.close()
        self.client.admit(urljoin(response.url, response.headers["location"]))


class _Silent:
    """yt-dlp's messages reach the ledger as exceptions; its console output would drown the progress."""

    def debug(self, message: str) -> None: ...
    def info(self, message: str) -> None: ...
    def warning(self, message: str) -> None: ...
    def error(self, message: str) -> None: ...


def _options(crawl: Crawl, proxy: str | None) -> dict[str, Any]:
    options: dict[str, Any] = {
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
        # Attempts, back-off and their count are the governor's; a second layer would hide them.
        "retries": 0,
        "fragment_retries": 0,
        "extractor_retries": 0,
        "file_access_retries": 0,
        "skip_unavailable_fragments": False,
        "socket_timeout": crawl.stall_s,
        "hls_prefer_native": True,
        "ffmpeg_location": ffmpeg.executable(),
        # What has arrived is probed before any ffmpeg opens it; the re-encoding of what is no MP4 repairs it as well.
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
