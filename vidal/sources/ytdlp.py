"""Candidates and media by yt-dlp: any of its search keys, any page or file address it can read."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

from vidal import ids
from vidal.errors import RecordError
from vidal.net.client import Client
from vidal.schema import Kind, Reason
from vidal.sources.settings import Search
from vidal.sources.source import Candidate, Fetched, described, extra
from vidal.sources.text import hashtags

# YouTube's own filter "under 4 minutes": the shortest that its search knows. The recipe's limit is applied to what is stated.
_SHORTS = "https://www.youtube.com/results?search_query={query}&sp=EgIYAQ%253D%253D"
_EXTRA = ("origin", "note", "upload_date", "view_count", "like_count", "comment_count", "description")


class YtDlp:
    """Of one thread, as its client is."""

    def __init__(self, client: Client, search: Search | None = None):
        self._client, self._search = client, search or Search()
        self._asked: tuple[str, dict[str, Any]] | None = None

    def search(self, term: str, limit: int) -> list[Candidate]:
        address = _SHORTS.format(query=quote_plus(term)) if self._search.shorts else f"{self._search.key}{limit}:{term}"
        info = self._extract(address, items=limit)
        return [found for entry in info.get("entries") or [] if (found := _found(entry))][:limit]

    def describe(self, candidate: Candidate) -> Candidate:
        """Asks the page, unless a catalogue gives the title: then the download tells the rest."""
        if candidate["curated"] and candidate["title"]:
            return candidate
        info = self._one(candidate["url"])
        self._asked = (candidate["url"], info)
        return described(candidate, _description(info))

    def fetch(self, candidate: Candidate, folder: Path) -> Fetched:
        """The one file that arrived. The page is asked once, where the download follows its description."""
        self._client.params["outtmpl"]["default"] = f"{folder}/media.%(ext)s"
        asked, self._asked = self._asked, None
        info = asked[1] if asked and asked[0] == candidate["url"] else self._one(candidate["url"])
        if info.get("is_live") or info.get("live_status") in ("is_live", "is_upcoming", "post_live"):
            raise RecordError(Reason.LIVE, "a live stream has no end; come back when it is over")
        done = self._client.process_ie_result(info, download=True)
        downloads = done.get("requested_downloads") or []
        if not downloads:
            raise RecordError(Reason.EXTRACTOR, "yt-dlp downloaded nothing")
        return Fetched(Path(downloads[0]["filepath"]), _description(info))

    def _one(self, url: str) -> dict[str, Any]:
        """What is said of the one video of a page."""
        info = self._extract(url, items=2)
        if info.get("_type") not in ("playlist", "multi_video"):
            return info
        entries = list(info.get("entries") or [])
        if not entries:
            raise RecordError(Reason.UNSUPPORTED_URL, "the page holds no media")
        if len(entries) > 1:
            count = info.get("playlist_count") or "several"
            raise RecordError(Reason.PLAYLIST, f"a list of {count} videos: give the addresses of those that you want")
        address = entries[0].get("url")
        return entries[0] if entries[0].get("formats") or not address or address == url else self._extract(address, 2)

    def _extract(self, address: str, items: int) -> dict[str, Any]:
        self._client.params["playlist_items"] = f"1:{items}"
        info = self._client.extract_info(address, download=False)
        if info is None:
            raise RecordError(Reason.EXTRACTOR, "yt-dlp found nothing at the address")
        return info


def _found(entry: dict[str, Any]) -> Candidate | None:
    url = entry.get("webpage_url") or entry.get("url")
    if not url:
        return None
    platform = str(entry.get("ie_key") or entry.get("extractor_key") or "generic").lower()
    source_id = str(entry.get("id") or url)
    return {
        "candidate_id": ids.candidate_id(platform, source_id, None, None),
        "source": "ytdlp",
        "platform": platform,
        "source_id": source_id,
        "url": url,
        "title": entry.get("title"),
        "duration_s": _number(entry.get("duration")),
        "curated": False,
        "extra": extra(entry, ("view_count",)),
    }


def _description(info: dict[str, Any]) -> Candidate:
    return {
        "title": info.get("title") or "",
        "hashtags": hashtags(info.get("title"), info.get("description")),
        "uploader": info.get("uploader") or info.get("channel"),
        "licence": info.get("license"),
        "duration_s": _number(info.get("duration")),
        "kind": _kind(info),
        "extra": extra(info, _EXTRA),
    }


def _kind(info: dict[str, Any]) -> str | None:
    if info.get("media_type") in (Kind.VIDEO.value, Kind.AUDIO.value):
        return info["media_type"]
    return Kind.AUDIO.value if info.get("vcodec") == "none" else None


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and value > 0 else None
