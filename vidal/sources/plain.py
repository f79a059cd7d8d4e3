"""Fetches a plain address: a file is downloaded as it is, a page is handed to yt-dlp. robots.txt and X-Robots-Tag are obeyed."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

from yt_dlp.networking.common import Response

from vidal.errors import RecordError
from vidal.net.client import Client
from vidal.net.robots import Robots, check_opt_out
from vidal.net.settings import Crawl
from vidal.net.urls import check_url
from vidal.records import Candidate
from vidal.schema import Reason
from vidal.sources.download import open_media, save_body
from vidal.sources.source import Fetched
from vidal.sources.ytdlp import YtDlp

_SNIFFED_BYTES = 512
_MARKUP = re.compile(
    rb"^\s*(?:\xef\xbb\xbf)?\s*(?:<!--.*?-->\s*)*<(?:!doctype|html|head|body|\?xml|rss|smil|mpd)", re.I | re.S
)
_LOGIN = re.compile(r"\b(log|sign)[-_]?in\b|\bauth(enticate)?\b|\bsso\b", re.I)


class Plain:
    """The source of catalogue addresses that yt-dlp has no extractor for. No recipe names it."""

    def __init__(self, client: Client, crawl: Crawl, robots: Robots, pages: YtDlp):
        self._client, self._crawl, self._robots, self._pages = client, crawl, robots, pages

    def describe(self, candidate: Candidate) -> Candidate:
        """Returns the candidate unchanged: the address is only opened once, to fetch it."""
        check_url(candidate["url"])
        return candidate

    def fetch(self, candidate: Candidate, folder: Path) -> Fetched:
        url = candidate["media_url"] or candidate["url"]
        self._check_robots(url)
        with open_media(self._client, url) as response:
            if urlsplit(response.url).netloc != urlsplit(url).netloc:
                self._check_robots(response.url)
            check_opt_out(response.headers.get_all("X-Robots-Tag") or [], self._crawl.opt_out)
            start = read_start(response)
            if _is_page(response, start, url):
                return self._pages.fetch(candidate, folder)
            return Fetched(save_body(response, start, folder))

    def _check_robots(self, url: str) -> None:
        if self._crawl.robots:
            self._robots.check(self._client, url)


def read_start(response: Response) -> bytes:
    """Returns the first bytes of a body, which distinguish a page from a file."""
    start = b""
    while len(start) < _SNIFFED_BYTES and (chunk := response.read(_SNIFFED_BYTES - len(start))):
        start += chunk
    return start


def _is_page(response: Response, start: bytes, url: str) -> bool:
    """Returns whether yt-dlp should read the address. Raises RecordError for a login page, and for a page sent as a media file."""
    is_playlist = start.startswith(b"#EXTM3U")
    if not is_playlist and not _MARKUP.match(start):
        return False
    if response.url != url and _LOGIN.search(urlsplit(response.url).path):
        raise RecordError(Reason.LOGIN_REQUIRED, f"it leads to {response.url[:200]}")
    content_type = (response.headers.get("Content-Type") or "").lower()
    if content_type.startswith(("video/", "audio/")) and "mpegurl" not in content_type:
        raise RecordError(Reason.NOT_MEDIA, f"a page or playlist, sent as {content_type}")
    return True
