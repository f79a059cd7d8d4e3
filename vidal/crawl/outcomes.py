"""What went wrong at a server or on the way, as a reason: from the types of exceptions, never from their texts."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator

from yt_dlp.networking.exceptions import HTTPError, SSLError, TransportError
from yt_dlp.utils import ContentTooShortError, DownloadError, GeoRestrictedError, UnsupportedError

from vidal.crawl.guard import ForbiddenAddress
from vidal.errors import RecordError
from vidal.schema import Reason

_BY_STATUS = {
    401: Reason.HTTP_401,
    403: Reason.HTTP_403,
    404: Reason.HTTP_404,
    410: Reason.HTTP_410,
    429: Reason.RATE_LIMITED,
}


def from_ytdlp(error: Exception) -> RecordError:
    """The typed outcome of a yt-dlp error; its own message is kept."""
    detail = str(error).removeprefix("ERROR: ")
    chain = list(_chain(error))
    for cause in chain:
        if isinstance(cause, ForbiddenAddress):
            return RecordError(Reason.FORBIDDEN_ADDRESS, str(cause))
        if isinstance(cause, HTTPError):
            return http_status(cause.status, detail)
        if isinstance(cause, GeoRestrictedError):
            return RecordError(Reason.GEO_BLOCKED, detail)
        if isinstance(cause, UnsupportedError):
            return RecordError(Reason.UNSUPPORTED_URL, detail)
    for cause in chain:
        if isinstance(cause, socket.gaierror):
            return RecordError(Reason.DNS, detail, transient=True)
        if isinstance(cause, (SSLError, ssl.SSLError)):
            return RecordError(Reason.TLS, detail)
        if isinstance(cause, TimeoutError):
            return RecordError(Reason.TIMEOUT, detail, transient=True)
    if any(isinstance(cause, (TransportError, ContentTooShortError, ConnectionError)) for cause in chain):
        return RecordError(Reason.CONNECTION, detail, transient=True)
    # The HTTP downloader gives up on a broken connection with a DownloadError that has no cause at all.
    if len(chain) == 1 and isinstance(error, DownloadError):
        return RecordError(Reason.CONNECTION, detail, transient=True)
    return RecordError(Reason.EXTRACTOR, detail)


def http_status(status: int, detail: str) -> RecordError:
    """429 and 5xx may pass; other 4xx stay."""
    if status in _BY_STATUS:
        return RecordError(_BY_STATUS[status], detail, transient=status == 429)
    if status >= 500:
        return RecordError(Reason.HTTP_5XX, detail, transient=True)
    return RecordError(Reason.HTTP_4XX, detail)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The exception, what yt-dlp says it wraps, and Python's own causes, each once."""
    seen: set[int] = set()
    todo = [error]
    while todo:
        current = todo.pop(0)
        if not isinstance(current, BaseException) or id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        wrapped = (getattr(current, "exc_info", None) or (None, None))[1]
        todo += [wrapped, getattr(current, "cause", None), current.__cause__, current.__context__]
