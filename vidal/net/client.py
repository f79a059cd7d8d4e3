"""yt-dlp with a single way to the network: extractors, downloaders and our own requests all pass through `Client.urlopen`."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import yt_dlp
from yt_dlp.networking import Request
from yt_dlp.networking.common import Response
from yt_dlp.networking.exceptions import HTTPError, NoSupportingHandlers
from yt_dlp.postprocessor import FFmpegMergerPP
from yt_dlp.utils import determine_protocol

from vidal.errors import RecordError
from vidal.media import ffmpeg
from vidal.net.accounts import read_passwords, with_password
from vidal.net.address_guard import AddressGuard, Connections, ForbiddenAddress
from vidal.net.effort import Effort
from vidal.net.errors import classify_error, find_own_error
from vidal.net.gate import GateRH, is_media
from vidal.net.governor import BLOCKS, Governor
from vidal.net.identities import ActiveIdentity
from vidal.net.javascript import REMEDY, Log
from vidal.net.opt_outs import check_headers
from vidal.net.page import guard_page
from vidal.net.pages import GenericIE
from vidal.net.settings import USER_AGENT, Crawl
from vidal.net.site_rules import SiteRules
from vidal.net.urls import check_url, hostname
from vidal.net.video_info import VideoInfo
from vidal.net.watchdog import Watchdog
from vidal.net.work_budget import WorkBudget, WorkStopped
from vidal.net.ytdlp_options import Options, ytdlp_options
from vidal.schema import Reason

# Failures with these reasons may mean that yt-dlp could not work out the formats of a video.
_WITHOUT_FORMATS = {Reason.EXTRACTOR, Reason.UNSUPPORTED_URL, Reason.HTTP_403}
_WAIT_S = 0.5  # How often waiting work extends its time.
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


class Client(yt_dlp.YoutubeDL):  # type: ignore[misc]  # yt-dlp has no annotations.
    """A YoutubeDL that enforces rate limits, byte limits, opt-outs, allowed addresses and allowed programs. Used by one thread at a time.

    Creating a client takes longer than a small download, so clients are reused.

    options: options of yt-dlp that replace ours. proxy: the address of the proxy, if any. identity: one of the user's identities, if
    any. Its cookies are sent, and its requests are counted. If the identity has a proxy, the caller gives this proxy as `proxy`.
    """

    def __init__(
        self,
        crawl: Crawl,
        governor: Governor,
        guard: AddressGuard,
        rules: SiteRules,
        watchdog: Watchdog,
        options: Options,
        proxy: str | None = None,
        identity: ActiveIdentity | None = None,
    ):
        self.crawl, self.governor, self.guard = crawl, governor, guard
        self._rules, self._watchdog, self._connections = rules, watchdog, Connections()
        self._budget: WorkBudget | None = None
        self._is_plain = True
        self._is_asking_rules = False
        self._asked_host = ""
        self._is_block_recorded = False
        self._identity, self._is_video_due = identity, False
        self.passwords = read_passwords(crawl.netrc_file)
        cookies_file = identity.settings.cookies_file if identity else crawl.cookies_file
        own = ytdlp_options(crawl, proxy and with_password(proxy, self.passwords), cookies_file)
        args = {**cast("Options", own["extractor_args"]), **cast("Options", options.get("extractor_args", {}))}
        self._log = Log()
        super().__init__({**own, **options, "extractor_args": args, "logger": self._log})
        self.add_info_extractor(GenericIE())

    def set_plain(self, is_plain: bool) -> None:
        """Sets whether the next requests are for plain pages and files, or for a source with an extractor or an API.

        For plain pages and files, the rules on robots.txt and opt-outs are stricter.
        """
        self._is_plain = is_plain

    def begin_video(self) -> None:
        """Makes the next request count as the start of another video, because identities have a budget of videos per hour."""
        self._is_video_due = True

    @contextlib.contextmanager
    def work(self, effort: Effort | None = None) -> Iterator[None]:
        """A context in which one search, description or download runs within the recipe's limits on seconds and bytes.

        effort: what the candidate has cost so far; the seconds of work in the context are added to it.

        Raises RecordError for an error of a server, of the connection or of yt-dlp. An error of our own code is raised unchanged.
        """
        crawl, effort, started = self.crawl, effort or Effort(), time.monotonic()
        budget = self._budget = WorkBudget(crawl.timeout_s, crawl.max_bytes, crawl.page_max_bytes, effort.work_s)
        self._asked_host, self._is_block_recorded, self._is_video_due = "", False, False
        self._log.lacks_javascript = False
        try:
            with (
                self.guard.enforce(self._connections, is_proxied=self._is_proxied),
                self._watchdog.watch(budget, self._connections),
            ):
                yield
        except BaseException as error:
            final = self._record_error(error, budget)
            if final is error:
                raise
            raise final from (error if isinstance(final, RecordError) else None)
        finally:
            effort.work_s += time.monotonic() - started - budget.waited_s
            self._budget = None

    def _record_error(self, error: BaseException, budget: WorkBudget) -> BaseException:
        """Returns the error to raise after `error` has ended a piece of work.

        Usually, this error is a RecordError. If no record is to blame, as for a bug of vidal or a full disk, it is the original error.
        """
        if isinstance(error, WorkStopped):
            return error.error
        if isinstance(error, RecordError) or not isinstance(error, Exception):
            return error
        if budget.is_over:  # The watchdog shut the connections, so a read from them failed in some way.
            return budget.timeout_error()
        if own := find_own_error(error):  # yt-dlp wraps exceptions that are raised inside it.
            return own
        record_error = classify_error(error)
        if self._log.lacks_javascript and record_error.reason in _WITHOUT_FORMATS:
            return RecordError(Reason.NO_JAVASCRIPT, f"{record_error.detail}; {REMEDY}")
        if record_error.reason in BLOCKS and not self._is_block_recorded and self._asked_host:
            self._record_block(self._asked_host, record_error)
        return record_error

    def _record_block(self, host: str, error: RecordError) -> None:
        """Pauses the client's identity, for all hosts, after a host has blocked it. Without an identity, pauses requests to the host."""
        self._is_block_recorded = True
        if self._identity:
            self._identity.pause(error)
        else:
            self.governor.record_failure(host, error)

    @property
    def _is_proxied(self) -> bool:
        return any(self.proxies.values())

    def get(self, url: str, **headers: str) -> Response:
        """Sends a GET request with our User-Agent. headers: further headers, with "_" for "-" in their names.

        Raises yt-dlp's RequestError, or WorkStopped if vidal refuses the request.
        """
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.urlopen(Request(url, headers={"User-Agent": self.user_agent, **named}))

    @property
    def user_agent(self) -> str:
        return self.crawl.user_agent or USER_AGENT

    def wait_for(self, event: threading.Event) -> None:
        """Waits until another thread sets the event. The wait does not count towards the time limit of the current work."""
        # The other thread could otherwise wait forever for a slot that this thread holds.
        self.governor.give_up_slot()
        while not event.is_set():
            started = time.monotonic()
            event.wait(_WAIT_S)
            if self._budget:
                self._budget.extend(time.monotonic() - started)

    def open_rules(self, url: str) -> Response:
        """Fetches a file of rules, such as robots.txt, whether or not a rule allows it.

        Raises yt-dlp's RequestError, or WorkStopped if vidal refuses the request.
        """
        outer, self._is_asking_rules = self._is_asking_rules, True
        try:
            return self.get(url)
        finally:
            self._is_asking_rules = outer

    def urlopen(self, req: Request | str) -> Response:
        """Sends a request. Every request of this client is sent by this method.

        Raises yt-dlp's RequestError, or WorkStopped if vidal refuses the request.
        """
        request = Request(req) if isinstance(req, str) else req
        budget = self._budget
        if budget is None:
            raise RuntimeError("a request was sent outside Client.work: send it inside `with client.work():`")
        self.check_scheme(request.url)
        if self._is_plain:
            request.headers["User-Agent"] = self.user_agent
        try:
            response = budget.bound(super().urlopen(request))
        except NoSupportingHandlers as error:
            # Here yt-dlp collects exceptions that it does not know, such as the one for a refused redirect.
            raise next((e for e in error.unexpected_errors if isinstance(e, WorkStopped)), error) from error
        except HTTPError as error:
            budget.bound(error.response)
            raise
        if not self._is_plain or self._is_asking_rules:
            return response
        with _stopping():
            return guard_page(response, self.crawl.opt_out, self._rules.agent)

    def check_scheme(self, url: str) -> None:
        """Raises WorkStopped if an address is not http or https, has no host, or has characters in its host that no host can have."""
        with _stopping():
            if urlsplit(url).scheme not in ("http", "https"):
                raise RecordError(Reason.FORBIDDEN_SCHEME, f"{url[:200]}: only http and https addresses can be fetched")
            check_url(url)

    def admit(self, url: str) -> str:
        """Waits until a request may be sent to an address, and returns its host. It is called for every hop of a redirect too.

        Raises WorkStopped if no request may be sent to the address.
        """
        host, budget = hostname(url), self._budget
        with _stopping():
            self._check_domain(host)
            self.guard.check_host(host, self._is_proxied)
            if budget:
                budget.check()
                self._check_rules(url)
                budget.extend(self.governor.admit(host))
                self._count_use()
        self._asked_host = host
        return host

    def _count_use(self) -> None:
        """Counts a request for the client's identity (an account or proxy). The first request after begin_video also counts as a video.

        Raises IdentityPaused if the identity must wait.
        """
        if self._identity is None:
            return
        if self._is_video_due:
            self._identity.take("videos")
            self._is_video_due = False
        self._identity.take("requests")

    def record_answer(self, host: str, status: int, error: RecordError | None) -> None:
        """Records whether a host works, so that requests to a failing host are paused.

        A permanent failure of one address, such as 404, counts as a success, because the host works.

        status: 0 if no answer came. error: the failure, or None for a success.
        """
        if error is None or (400 <= status < 500 and not error.transient):
            self.governor.record_success(host)
            return
        if error.reason in BLOCKS:
            self._record_block(host, error)
        else:
            self._is_block_recorded = False
            self.governor.record_failure(host, error)

    def check_answer(self, content_type: str, tags: list[str], reservations: list[str]) -> None:
        """Raises WorkStopped if an answer's headers opt out of machine learning.

        For sources with an extractor or an API, only answers with media are checked. tags: the X-Robots-Tag headers. reservations: the
        tdm-reservation headers.
        """
        if self._is_asking_rules or not (self._is_plain or is_media(content_type)):
            return
        with _stopping():
            check_headers(tags, reservations, self.crawl.opt_out, self._rules.agent)

    def _check_rules(self, url: str) -> None:
        if self.crawl.obeys_robots(self._is_plain) and not self._is_asking_rules:
            self._rules.check(self, url)

    def dl(self, name: str, info: VideoInfo, subtitle: bool = False, test: bool = False) -> Any:
        """Downloads the requested formats of a video. Raises WorkStopped if that needs another program, which would bypass `urlopen`."""
        protocols = {determine_protocol(format_) for format_ in info.get("requested_formats") or [info]}
        if others := sorted(protocols - _NATIVE_PROTOCOLS):
            detail = f"the media are offered by {', '.join(others)} only, but vidal fetches only http and https"
            raise WorkStopped(RecordError(Reason.FORBIDDEN_SCHEME, detail))
        return super().dl(name, info, subtitle, test)

    def run_pp(self, pp: Any, infodict: VideoInfo) -> VideoInfo:
        """Runs a postprocessor of yt-dlp. Separate video and audio files are merged by ffmpeg.merge, which opens no other file.

        Raises WorkStopped if they cannot be merged.
        """
        if not isinstance(pp, FFmpegMergerPP):
            processed: VideoInfo = super().run_pp(pp, infodict)
            return processed
        try:
            ffmpeg.merge([Path(name) for name in infodict["__files_to_merge"]], Path(infodict["filepath"]))
        except RecordError as error:
            raise WorkStopped(error) from error
        return infodict

    def _write_subtitles(self, info_dict: VideoInfo, filename: str) -> list[tuple[str, str]]:
        """Writes nothing: a failure here would lose the video, so vidal.sources.ytdlp_subtitles fetches the subtitles."""
        return []

    def save_cookies(self) -> None:
        """Does nothing: the recipe's cookies file is only read, because many clients share it."""

    def _check_domain(self, host: str) -> None:
        for domain in self.crawl.block_domains:
            if host == domain or host.endswith(f".{domain}"):
                raise RecordError(Reason.BLOCKED_DOMAIN, f"{host}: {domain} is in crawl.block_domains")

    def build_request_director(self, handlers: Iterable[Any], preferences: Any = None) -> Any:
        """Uses only the handler GateRH, which checks every request and answer (see vidal.net.gate). yt-dlp's other handlers do not."""
        director = super().build_request_director([GateRH], preferences)
        for handler in director.handlers.values():
            handler.client = self
        return director


@contextlib.contextmanager
def _stopping() -> Iterator[None]:
    """A context that turns RecordError and ForbiddenAddress into WorkStopped, which yt-dlp neither wraps nor swallows."""
    try:
        yield
    except ForbiddenAddress as error:
        raise WorkStopped(RecordError(Reason.FORBIDDEN_ADDRESS, str(error))) from error
    except RecordError as error:
        raise WorkStopped(error) from error
