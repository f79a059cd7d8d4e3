"""Turns exceptions of yt-dlp and its libraries into RecordErrors with a reason.

The reason follows from the type of the exception or, if yt-dlp raises one type for everything, from the words of its message.
"""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from typing import Protocol

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
from vidal.net.phrases import find_pause_s, find_reason
from vidal.schema import Reason

RETRY_AFTER_MAX_S = 24 * 3600.0


class Headers(Protocol):
    """The headers of a response. Each network library has its own class for them. All of these classes have the method `get`."""

    def get(self, name: str, /) -> str | None: ...


_BY_STATUS = {
    401: Reason.HTTP_401,
    403: Reason.HTTP_403,
    404: Reason.HTTP_404,
    410: Reason.REMOVED,
    429: Reason.RATE_LIMITED,
}
# These come from the answer of a server or from the connection, whichever package raises them.
_NETWORK_ERRORS = (
    YoutubeDLError, ForbiddenAddress, ConnectionError, TimeoutError, ssl.SSLError, socket.gaierror, HTTPException,
    urllib3.exceptions.HTTPError, requests.exceptions.RequestException,
)  # fmt: skip
_BAD_URL = (requests.exceptions.InvalidURL, requests.exceptions.MissingSchema, urllib3.exceptions.LocationParseError)
_DISK_FULL = {errno.ENOSPC, errno.EDQUOT}
_OUR_PACKAGE = "vidal"
_PACKAGES = (_OUR_PACKAGE, "yt_dlp", "yt_dlp_plugins")


def find_own_error(error: BaseException) -> BaseException | None:
    """Returns the exception inside `error` for which vidal or this machine is to blame (a bug, a full disk); None if there is none."""
    for cause in _wrapped(error):
        if isinstance(cause, RecordError):
            return None
        if isinstance(cause, OSError) and cause.errno in _DISK_FULL:
            return cause
        if not isinstance(cause, _NETWORK_ERRORS) and raised_by(cause, _PACKAGES) == _OUR_PACKAGE:
            return cause
    return None


def classify_error(error: BaseException) -> RecordError:
    """Returns the RecordError for any exception of yt-dlp or its libraries, with the message of that exception."""
    detail = str(error).removeprefix("ERROR: ")
    chain = list(_chain(error))
    for cause in chain:
        if isinstance(cause, RecordError):
            return cause
        if isinstance(cause, ForbiddenAddress):
            return RecordError(Reason.FORBIDDEN_ADDRESS, str(cause))
        if isinstance(cause, HTTPError):
            return classify_http_error(cause, detail)
        if isinstance(cause, GeoRestrictedError):
            return RecordError(Reason.GEO_BLOCKED, detail)
        if isinstance(cause, UnsupportedError):
            return RecordError(Reason.UNSUPPORTED_URL, detail)
        if isinstance(cause, _BAD_URL):
            return RecordError(Reason.BAD_URL, detail)
    return _classify_network_error(chain, detail) or _classify_extractor_error(chain, error, detail)


def classify_http_error(error: HTTPError, detail: str) -> RecordError:
    """Returns the RecordError for an HTTPError. detail: the message.

    The reason is redirect_loop for redirects without end; otherwise, it follows from the status and the headers of the answer.
    """
    if error.redirect_loop:
        return RecordError(Reason.REDIRECT_LOOP, detail)
    return classify_answer(error.status, error.response.headers, detail)


def classify_answer(status: int, headers: Headers, detail: str) -> RecordError:
    """Returns the RecordError for an answer with an HTTP status of 400 or more. detail: the message.

    The reason is bot_check for a challenge of Cloudflare; otherwise, it follows from the status.
    """
    if headers.get("cf-mitigated") == "challenge":
        return RecordError(Reason.BOT_CHECK, detail, transient=True)
    return classify_status(status, detail, parse_retry_after(headers.get("Retry-After")))


def classify_status(status: int, detail: str, pause_s: float | None = None) -> RecordError:
    """Returns the RecordError for an HTTP status of 400 or more. 429 and 5xx are transient, other 4xx are not. detail: the message.

    pause_s: the seconds of Retry-After; they are ignored if the failure is not transient.
    """
    if status in _BY_STATUS:
        transient = status == 429
        return RecordError(
            _BY_STATUS[status], detail, transient=transient, retry_after_s=pause_s if transient else None
        )
    if status >= 500:
        return RecordError(Reason.HTTP_5XX, detail, transient=True, retry_after_s=pause_s)
    return RecordError(Reason.HTTP_4XX, detail)


def parse_retry_after(header: str | None) -> float | None:
    """Returns the seconds of a Retry-After header (RFC 9110, 10.2.3), at most a day; None if it is neither a number nor a date."""
    if not header:
        return None
    try:
        seconds = float(header) if header.strip().isdecimal() else _seconds_until(header)
    except (ValueError, TypeError):
        return None
    return min(max(0.0, seconds), RETRY_AFTER_MAX_S)


def _seconds_until(date: str) -> float:
    then = parsedate_to_datetime(date)
    return (then.replace(tzinfo=then.tzinfo or timezone.utc) - datetime.now(timezone.utc)).total_seconds()


def _classify_network_error(chain: list[BaseException], detail: str) -> RecordError | None:
    transient = (
        (socket.gaierror, Reason.DNS),
        (TimeoutError, Reason.TIMEOUT),
        (ConnectionRefusedError, Reason.REFUSED),
        (IncompleteRead, Reason.INCOMPLETE),
        (ContentTooShortError, Reason.INCOMPLETE),
    )
    if any(isinstance(cause, (SSLError, ssl.SSLError)) for cause in chain):
        return RecordError(Reason.TLS, detail)
    for type_, reason in transient:
        if any(isinstance(cause, type_) for cause in chain):
            return RecordError(reason, detail, transient=True)
    if any(isinstance(cause, (TransportError, ConnectionError, HTTPException)) for cause in chain):
        return RecordError(Reason.CONNECTION, detail, transient=True)
    return None


def _classify_extractor_error(chain: list[BaseException], error: BaseException, detail: str) -> RecordError:
    # The HTTP downloader gives up on a broken connection with a DownloadError that has no cause.
    if len(chain) == 1 and isinstance(error, DownloadError):
        return RecordError(Reason.CONNECTION, detail, transient=True)
    if any(isinstance(cause, ExtractorError) and cause.expected for cause in chain) and (reason := find_reason(detail)):
        is_block = reason in (Reason.RATE_LIMITED, Reason.BOT_CHECK)
        return RecordError(reason, detail, transient=is_block, retry_after_s=find_pause_s(detail) if is_block else None)
    return RecordError(Reason.EXTRACTOR, detail or type(error).__name__)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yields the exception and all exceptions linked to it, each once. The links are those of yt-dlp, urllib3 and Python."""

    def all_links(current: BaseException) -> list[object]:
        return [*_wrapped_in(current), getattr(current, "reason", None), *current.args, current.__context__]

    return _walk(error, all_links)


def _wrapped(error: BaseException) -> Iterator[BaseException]:
    """Yields the exception and its causes, but not exceptions that were being handled when it was raised."""
    return _walk(error, _wrapped_in)


def _wrapped_in(error: BaseException) -> list[object]:
    raised = (getattr(error, "exc_info", None) or (None, None))[1]
    return [raised, getattr(error, "cause", None), *getattr(error, "unexpected_errors", ()), error.__cause__]


def _walk(first: BaseException | None, links: Callable[[BaseException], list[object]]) -> Iterator[BaseException]:
    visited: set[int] = set()
    todo: list[object] = [first]
    while todo:
        current = todo.pop(0)
        if isinstance(current, BaseException) and id(current) not in visited:
            visited.add(id(current))
            yield current
            todo += links(current)
