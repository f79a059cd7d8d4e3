"""What went wrong at a server or on the way, as a reason: from the types of exceptions, and where yt-dlp has one type for
everything, from the words that it or the platform uses."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from http.client import HTTPException

import requests
import urllib3
from yt_dlp.networking.exceptions import HTTPError, IncompleteRead, SSLError, TransportError
from yt_dlp.utils import (
    ContentTooShortError,
    DownloadError,
    ExtractorError,
    GeoRestrictedError,
    UnsupportedError,
    YoutubeDLError,
)

from vidal.errors import RecordError, raised_by
from vidal.net.address_guard import ForbiddenAddress
from vidal.schema import Reason

RETRY_AFTER_MAX_S = 24 * 3600.0
_BY_STATUS = {
    401: Reason.HTTP_401,
    403: Reason.HTTP_403,
    404: Reason.HTTP_404,
    410: Reason.REMOVED,
    429: Reason.RATE_LIMITED,
}
# yt-dlp raises one ExtractorError for all of these; the words are its own or the platform's. First match wins.
PHRASES = (
    ("not a bot", Reason.BOT_CHECK),
    ("anti-bot", Reason.BOT_CHECK),
    ("captcha", Reason.BOT_CHECK),
    ("confirm your age", Reason.AGE_GATED),
    ("age-restricted", Reason.AGE_GATED),
    ("inappropriate for some users", Reason.AGE_GATED),
    ("private video", Reason.PRIVATE),
    ("video is private", Reason.PRIVATE),
    ("geo restriction", Reason.GEO_BLOCKED),
    ("in your country", Reason.GEO_BLOCKED),
    ("from your location", Reason.GEO_BLOCKED),
    ("has been removed", Reason.REMOVED),
    ("no longer available", Reason.REMOVED),
    ("has been terminated", Reason.REMOVED),
    ("does not exist", Reason.REMOVED),
    ("video unavailable", Reason.REMOVED),
    ("rate-limit", Reason.RATE_LIMITED),
    ("registered users", Reason.LOGIN_REQUIRED),
    ("members-only", Reason.LOGIN_REQUIRED),
    ("log in", Reason.LOGIN_REQUIRED),
    ("sign in", Reason.LOGIN_REQUIRED),
)


# What comes of a server or of the way to it, whoever's code it is raised in.
_OF_THE_NETWORK = (
    YoutubeDLError, ForbiddenAddress, ConnectionError, TimeoutError, ssl.SSLError, socket.gaierror, HTTPException,
    urllib3.exceptions.HTTPError, requests.exceptions.RequestException,
)  # fmt: skip
_DISK_FULL = {errno.ENOSPC, errno.EDQUOT}
_OURS = "vidal"
_PACKAGES = (_OURS, "yt_dlp", "yt_dlp_plugins")


def own_error(error: BaseException) -> BaseException | None:
    """The exception, of those that yt-dlp has wrapped, that is no outcome: our own bug, or a disk of ours that is full."""
    for cause in _wrapped(error):
        if isinstance(cause, RecordError):
            return None
        if isinstance(cause, OSError) and cause.errno in _DISK_FULL:
            return cause
        if not isinstance(cause, _OF_THE_NETWORK) and raised_by(cause, _PACKAGES) == _OURS:
            return cause
    return None


def from_ytdlp(error: BaseException) -> RecordError:
    """The typed outcome of whatever yt-dlp or its libraries raise; the message is kept."""
    detail = str(error).removeprefix("ERROR: ")
    chain = list(_chain(error))
    for cause in chain:
        if isinstance(cause, RecordError):
            return cause
        if isinstance(cause, ForbiddenAddress):
            return RecordError(Reason.FORBIDDEN_ADDRESS, str(cause))
        if isinstance(cause, HTTPError):
            return http_error(cause, detail)
        if isinstance(cause, GeoRestrictedError):
            return RecordError(Reason.GEO_BLOCKED, detail)
        if isinstance(cause, UnsupportedError):
            return RecordError(Reason.UNSUPPORTED_URL, detail)
    return _network(chain, detail) or _extractor(chain, error, detail)


def http_error(error: HTTPError, detail: str) -> RecordError:
    """429 and 5xx may pass; other 4xx stay."""
    if error.redirect_loop:
        return RecordError(Reason.REDIRECT_LOOP, detail)
    if error.response.headers.get("cf-mitigated") == "challenge":
        return RecordError(Reason.BOT_CHECK, detail)
    return http_status(error.status, detail, retry_after_s(error.response.headers.get("Retry-After")))


def http_status(status: int, detail: str, pause_s: float | None = None) -> RecordError:
    """pause_s: what Retry-After says; it counts only where the failure may pass."""
    if status in _BY_STATUS:
        passing = status == 429
        return RecordError(_BY_STATUS[status], detail, transient=passing, retry_after_s=pause_s if passing else None)
    if status >= 500:
        return RecordError(Reason.HTTP_5XX, detail, transient=True, retry_after_s=pause_s)
    return RecordError(Reason.HTTP_4XX, detail)


def retry_after_s(header: str | None) -> float | None:
    """Seconds of a Retry-After header, a number or a date (RFC 9110, 10.2.3); None where it cannot be read."""
    if not header:
        return None
    try:
        seconds = float(header) if header.strip().isdecimal() else _until(header)
    except (ValueError, TypeError):
        return None
    return min(max(0.0, seconds), RETRY_AFTER_MAX_S)


def _until(date: str) -> float:
    then = parsedate_to_datetime(date)
    return (then.replace(tzinfo=then.tzinfo or timezone.utc) - datetime.now(timezone.utc)).total_seconds()


def _network(chain: list[BaseException], detail: str) -> RecordError | None:
    passing = (
        (socket.gaierror, Reason.DNS),
        (TimeoutError, Reason.TIMEOUT),
        (ConnectionRefusedError, Reason.REFUSED),
        (IncompleteRead, Reason.INCOMPLETE),
        (ContentTooShortError, Reason.INCOMPLETE),
    )
    if any(isinstance(cause, (SSLError, ssl.SSLError)) for cause in chain):
        return RecordError(Reason.TLS, detail)
    for kind, reason in passing:
        if any(isinstance(cause, kind) for cause in chain):
            return RecordError(reason, detail, transient=True)
    if any(isinstance(cause, (TransportError, ConnectionError, HTTPException)) for cause in chain):
        return RecordError(Reason.CONNECTION, detail, transient=True)
    return None


def _extractor(chain: list[BaseException], error: BaseException, detail: str) -> RecordError:
    # The HTTP downloader gives up on a broken connection with a DownloadError that has no cause at all.
    if len(chain) == 1 and isinstance(error, DownloadError):
        return RecordError(Reason.CONNECTION, detail, transient=True)
    if any(isinstance(cause, ExtractorError) and cause.expected for cause in chain):
        lower = detail.lower()
        for phrase, reason in PHRASES:
            if phrase in lower:
                return RecordError(reason, detail, transient=reason is Reason.RATE_LIMITED)
    return RecordError(Reason.EXTRACTOR, detail or type(error).__name__)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The exception, what yt-dlp says it wraps, what urllib3 carries as an argument, and Python's own causes, each once."""
    return _linked(error, lambda current: [*_links(current), getattr(current, "reason", None), *current.args, current.__context__])


def _wrapped(error: BaseException) -> Iterator[BaseException]:
    """The exception, and those that it was raised for; not those that had been dealt with before."""
    return _linked(error, _links)


def _links(error: BaseException) -> list[object]:
    raised = (getattr(error, "exc_info", None) or (None, None))[1]
    return [raised, getattr(error, "cause", None), *getattr(error, "unexpected_errors", ()), error.__cause__]


def _linked(first: BaseException | None, links: Callable[[BaseException], list[object]]) -> Iterator[BaseException]:
    seen: set[int] = set()
    todo: list[object] = [first]
    while todo:
        current = todo.pop(0)
        if isinstance(current, BaseException) and id(current) not in seen:
            seen.add(id(current))
            yield current
            todo += links(current)
