"""Fetches a plain address: a file is downloaded as it is, and a page is handed to yt-dlp."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

from yt_dlp.networking.common import Response

from vidal.errors import RecordError
from vidal.net.client import Client
from vidal.net.page import MARKUP, read_start
from vidal.net.urls import check_url
from vidal.records import Candidate
from vidal.schema import Reason
from vidal.sources.download import open_media, save_body
from vidal.sources.source import Fetched
from vidal.sources.ytdlp import YtDlp

_LOGIN = re.compile(r"\b(log|sign)[-_]?in\b|\bauth(enticate)?\b|\bsso\b", re.I)


class Plain:
    """Fetches those addresses of a user's list that yt-dlp has no extractor for. A recipe cannot name Plain as its source."""

    def __init__(self, client: Client, pages: YtDlp):
        self._client, self._pages = client, pages

    def describe(self, candidate: Candidate) -> Candidate:
        """Returns the candidate unchanged, without a request. Raises RecordError(bad_url) for an address that cannot be fetched."""
        check_url(candidate["url"])
        return candidate

    def fetch(self, candidate: Candidate, folder: Path) -> Fetched:
        url = candidate["media_url"] or candidate["url"]
        with open_media(self._client, url) as response:
            start = read_start(response)
            if _is_page(response, start, url):
                return self._pages.fetch(candidate, folder)
            return Fetched(save_body(response, start, folder))


def _is_page(response: Response, start: bytes, url: str) -> bool:
    """Returns whether the response is a page or a playlist, which yt-dlp must read, and not a media file.

    start: the first bytes of the response. url: the address that was requested. Raises RecordError(login_required) if the request was
    redirected to a login page, and RecordError(not_media) if a page or playlist has the content type of a media file.
    """
    is_playlist = start.startswith(b"#EXTM3U")
    if not is_playlist and not MARKUP.match(start):
        return False
    if response.url != url and _LOGIN.search(urlsplit(response.url).path):
        raise RecordError(Reason.LOGIN_REQUIRED, f"the address leads to a login page: {response.url[:200]}")
    content_type = (response.headers.get("Content-Type") or "").lower()
    if content_type.startswith(("video/", "audio/")) and "mpegurl" not in content_type:
        raise RecordError(
            Reason.NOT_MEDIA, f"the server says that the file is {content_type[:80]}, but sends a page or a playlist"
        )
    return True
