"""Videos of PeerTube: an instance's own search, or Sepia Search over all of them; files by the video's own instance."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from vidal import ids
from vidal.errors import RecordError
from vidal.net.client import Client
from vidal.schema import Kind, Reason
from vidal.sources.api import get_json
from vidal.sources.plain import open_url, save
from vidal.sources.settings import Search
from vidal.sources.source import Candidate, Fetched, described, extra, first
from vidal.sources.text import hashtags

BASE = "https://sepiasearch.org"
_PAGE = 100
_LINES = 480  # Frames are stored at a short side of 256: the smallest file of at least this height is enough.


class PeerTube:
    def __init__(self, client: Client, search: Search, duration_max_s: float):
        self._client, self._settings, self._duration_max_s = client, search, duration_max_s

    def search(self, term: str, limit: int) -> list[Candidate]:
        return first(self._results(term, limit), limit)

    def describe(self, candidate: Candidate) -> Candidate:
        """Asks the video's own instance for title, tags, licence and files."""
        parts = urlsplit(candidate["url"])
        address = f"{parts.scheme}://{parts.netloc}/api/v1/videos/{candidate['source_id']}"
        video = get_json(self._client, address)
        files = [*(video.get("files") or [])]
        for playlist in video.get("streamingPlaylists") or []:
            files += playlist.get("files") or []
        return described({**candidate, "media_url": _file(files)}, _description(video))

    def fetch(self, candidate: Candidate, folder: Path) -> Fetched:
        if not candidate["media_url"]:
            candidate = self.describe(candidate)
        with open_url(self._client, candidate["media_url"]) as response:
            return Fetched(save(response, b"", folder))

    def _results(self, term: str, limit: int) -> Iterator[Candidate]:
        base = (self._settings.base_url or BASE).rstrip("/")
        query = {
            "search": term,
            "sort": "-match",
            "nsfw": "false",
            "durationMax": int(self._duration_max_s),
            "count": min(limit, _PAGE),
        }
        start = 0
        while True:
            found = get_json(self._client, f"{base}/api/v1/search/videos", {**query, "start": start})
            videos = found.get("data") or []
            yield from (_candidate(video) for video in videos)
            start += len(videos)
            if not videos or start >= found.get("total", 0):
                return


def _candidate(video: dict[str, Any]) -> Candidate:
    source_id = video["uuid"]
    return {
        **_description(video),
        "candidate_id": ids.candidate_id("peertube", source_id, None, None),
        "source": "peertube",
        "platform": "peertube",
        "source_id": source_id,
        "url": video["url"],
        "hashtags": [],  # The search gives none; the video's own page does.
        "curated": False,
    }


def _description(video: dict[str, Any]) -> Candidate:
    tags = [tag.lower() for tag in video.get("tags") or []]
    account = video.get("account") or {}
    stated = {
        "upload_date": video.get("publishedAt"),
        "view_count": video.get("views"),
        "comments": video.get("comments"),
        "description": video.get("description"),
    }
    return {
        "title": video.get("name") or "",
        "hashtags": list(dict.fromkeys([*tags, *hashtags(video.get("name"), video.get("description"))])),
        "uploader": f"{account['name']}@{account.get('host', '')}" if account.get("name") else None,
        "licence": (video.get("licence") or {}).get("label"),
        "duration_s": video.get("duration"),
        "kind": Kind.VIDEO.value,
        "extra": extra(stated, tuple(stated)),
    }


def _file(files: list[dict[str, Any]]) -> str:
    """Raises RecordError where the video has no file."""
    pictures = [file for file in files if file.get("fileUrl") and (file.get("resolution") or {}).get("id")]
    if not pictures:
        raise RecordError(Reason.UNSUPPORTED_URL, "the video has no file to download")
    heights = sorted(pictures, key=lambda file: file["resolution"]["id"])
    return next((file for file in heights if file["resolution"]["id"] >= _LINES), heights[-1])["fileUrl"]
