"""A plain address: a file is downloaded as it is, a page is handed to yt-dlp. robots.txt and X-Robots-Tag are obeyed."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

from yt_dlp.networking import Request
from yt_dlp.networking.common import Response

from vidal.errors import RecordError
from vidal.net.client import Client
from vidal.net.robots import Robots, check_opt_out
from vidal.net.settings import USER_AGENT, Crawl
from vidal.schema import Reason
from vidal.sources.source import Candidate, Fetched
from vidal.sources.ytdlp import YtDlp

_SNIFFED = 512
_MARKUP = re.compile(
    rb"^\s*(?:\xef\xbb\xbf)?\s*(?:<!--.*?-->\s*)*<(?:!doctype|html|head|body|\?xml|rss|smil|mpd)", re.I | re.S
)
_LOGIN = re.compile(r"\b(log|sign)[-_]?in\b|\bauth(enticate)?\b|\bsso\b", re.I)


class Plain:
    """Addresses that no extractor of yt-dlp claims."""

    def __init__(self, client: Client, crawl: Crawl, robots: Robots, pages: YtDlp):
        self._client, self._crawl, self._robots, self._pages = client, crawl, robots, pages

    def search(self, term: str, limit: int) -> list[Candidate]:
        raise NotImplementedError("plain addresses come from a catalogue")

    def describe(self, candidate: Candidate) -> Candidate:
        """Nothing is known before the address is opened, and it is opened once."""
        return candidate

    def fetch(self, candidate: Candidate, folder: Path) -> Fetched:
        url = candidate["media_url"] or candidate["url"]
        self._check_robots(url)
        with open_url(self._client, url) as response:
            if urlsplit(response.url).netloc != urlsplit(url).netloc:
                self._check_robots(response.url)
            check_opt_out(response.headers.get_all("X-Robots-Tag") or [], self._crawl.opt_out)
            start = sniff(response)
            if _is_page(response, start, url):
                return self._pages.fetch(candidate, folder)
            return Fetched(save(response, start, folder))

    def _check_robots(self, url: str) -> None:
        if self._crawl.robots:
            self._robots.check(self._client, url)


def open_url(client: Client, url: str) -> Response:
    """A GET that asks for the bytes as they are."""
    agent = client.crawl.user_agent or USER_AGENT
    return client.urlopen(Request(url, headers={"User-Agent": agent, "Accept-Encoding": "identity"}))


def sniff(response: Response) -> bytes:
    start = b""
    while len(start) < _SNIFFED and (piece := response.read(_SNIFFED - len(start))):
        start += piece
    return start


def save(response: Response, start: bytes, folder: Path) -> Path:
    """Writes the body to a file whose name the server has no say in. What it is, its bytes tell."""
    path = folder / "media.bin"
    with path.open("wb") as file:
        file.write(start)
        while piece := response.read(1 << 16):
            file.write(piece)
    return path


def _is_page(response: Response, start: bytes, url: str) -> bool:
    """Raises RecordError where a page stands in a medium's place."""
    playlist = start.startswith(b"#EXTM3U")
    if not playlist and not _MARKUP.match(start):
        return False
    if response.url != url and _LOGIN.search(urlsplit(response.url).path):
        raise RecordError(Reason.LOGIN_REQUIRED, f"it leads to {response.url[:200]}")
    stated = (response.headers.get("Content-Type") or "").lower()
    if stated.startswith(("video/", "audio/")) and "mpegurl" not in stated:
        raise RecordError(Reason.NOT_MEDIA, f"a page or playlist, sent as {stated}")
    return True
