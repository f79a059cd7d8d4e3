"""Reads a page before anything else is done with it, because its meta tags may opt out of machine learning."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Callable

from yt_dlp.networking.common import Response

from vidal.net.opt_outs import check_page

_SNIFFED_BYTES = 512
_PAGE_TYPES = ("text/html", "application/xhtml")
MARKUP = re.compile(
    rb"^\s*(?:\xef\xbb\xbf)?\s*(?:<!--.{0,400}?-->\s*){0,3}<(?:!doctype|html|head|body|meta|\?xml|rss|smil|mpd)", re.I | re.S
)  # fmt: skip


def read_start(response: Response) -> bytes:
    """Reads and returns the first 512 bytes of a body, or all if it is shorter. They are enough to tell a page from a media file."""
    start = b""
    while len(start) < _SNIFFED_BYTES and (chunk := response.read(_SNIFFED_BYTES - len(start))):
        start += chunk
    return start


def guard_page(response: Response, opt_out: tuple[str, ...], agent: str) -> Response:
    """Raises RecordError(opted_out) if a response is a page whose meta tags opt out of machine learning.

    Otherwise, returns a response with the same body, all of which is still unread. opt_out: the directives that count, such as "noai".
    agent: the name of this crawler.
    """
    start = read_start(response)
    if is_page(response, start):
        if not response.closed:
            start += response.read()
        check_page(_decode(start), opt_out, agent)
        response.close()
    if response.closed:  # yt-dlp closes a response that has been read to its end.
        return Response(io.BytesIO(start), response.url, response.headers, response.status, response.reason)
    response.read = _reader(start, response.read)
    return response


def is_page(response: Response, start: bytes) -> bool:
    """Returns whether a body is HTML or XML, as its Content-Type or its first bytes (`start`) say."""
    content_type = (response.headers.get("Content-Type") or "").strip().lower()
    return content_type.startswith(_PAGE_TYPES) or MARKUP.match(start) is not None


def _decode(page: bytes) -> str:
    is_wide = page.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return page.decode("utf-16" if is_wide else "latin-1", errors="replace")


def _reader(start: bytes, read_rest: Callable[..., bytes]) -> Callable[..., bytes]:
    """Returns a read function that returns `start` and then what read_rest returns. A call may return fewer bytes than it asks for."""
    position = 0

    def read(amount: int | None = None) -> bytes:
        nonlocal position
        data = start[position:] if amount is None else start[position : position + amount]
        position += len(data)
        if amount is None:
            return data + read_rest()
        return data or read_rest(amount)

    return read
