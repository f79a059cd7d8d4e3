"""Finds candidates with a search of yt-dlp, such as `ytsearch`. Fetches media from any page or file that yt-dlp can read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar
from urllib.parse import quote_plus

from vidal import ids
from vidal.errors import RecordError
from vidal.net.urls import check_url
from vidal.net.video_info import VideoInfo
from vidal.records import Candidate
from vidal.schema import Kind, Reason
from vidal.sources.fit import fit_number
from vidal.sources.settings import Search
from vidal.sources.source import Fetched, fill_in, stated_texts
from vidal.sources.text import parse_hashtags

if TYPE_CHECKING:  # Importing a source for its settings must not load yt-dlp.
    from vidal.net.client import Client
    from vidal.net.ytdlp_options import Options

T = TypeVar("T")
# YouTube's filter "under 4 minutes", the shortest that its search has. The recipe's limit is applied to stated durations.
_SHORTS = "https://www.youtube.com/results?search_query={query}&sp=EgIYAQ%253D%253D"
_EXTRA = ("origin", "note", "upload_date", "channel", "view_count", "like_count", "comment_count", "description")
# The most categories, chapters, and characters of their names that are kept: a page may state any number.
_CATEGORIES_MAX, _CHAPTERS_MAX, _TITLE_MAX = 50, 300, 200


class YtDlpSearch(Search):
    """The settings of a search by yt-dlp."""

    source: str = "ytdlp"
    """Name of the source."""
    key: str = "ytsearch"
    """Search key of yt-dlp, such as `ytsearch` for YouTube."""
    shorts: bool = False
    """Whether YouTube is searched for videos under 4 minutes. `key` is then not used."""
    site: Literal["embedded"] | None = None
    """`embedded` searches the website that vidal itself serves. `null` searches the internet."""

    @property
    def name(self) -> str:
        return self.key

    @property
    def is_on_embedded_site(self) -> bool:
        return self.site == "embedded"


class YtDlp:
    """Searches, describes and fetches with the yt-dlp of one client, in one thread at a time."""

    settings = YtDlpSearch

    def __init__(self, client: Client, search: YtDlpSearch, duration_max_s: float):
        self._client, self._search = client, search
        self._described: tuple[str, VideoInfo] | None = None

    def search(self, term: str, limit: int) -> list[Candidate]:
        address = _SHORTS.format(query=quote_plus(term)) if self._search.shorts else f"{self._search.key}{limit}:{term}"
        info = self._extract(address, items=limit)
        candidates = (_candidate_of(result) for result in info.get("entries") or [])
        return [candidate for candidate in candidates if candidate][:limit]

    def describe(self, candidate: Candidate) -> Candidate:
        """Returns the candidate with what its page states. If a catalogue states the title, returns the candidate unchanged."""
        check_url(candidate["url"])
        if candidate["curated"] and candidate["title"]:
            return candidate
        info = self._extract_one(candidate["url"])
        self._described = (candidate["url"], info)
        return fill_in(candidate, _describe_video(info))

    def fetch(self, candidate: Candidate, folder: Path) -> Fetched:
        """Downloads the video or sound of a page. Raises RecordError if the page has not exactly one, or is a live stream.

        If `describe` has just read this page, the page is not requested again.
        """
        from vidal.sources.ytdlp_subtitles import fetch_subtitles  # Loads yt-dlp.

        self._client.params["outtmpl"]["default"] = f"{folder}/media.%(ext)s"
        described, self._described = self._described, None
        is_described = described is not None and described[0] == candidate["url"]
        info = described[1] if described and is_described else self._extract_one(candidate["url"])
        if info.get("is_live") or info.get("live_status") in ("is_live", "is_upcoming", "post_live"):
            raise RecordError(Reason.LIVE, "the page is a live stream: try again when the stream is over")
        result: VideoInfo = self._client.process_ie_result(info, download=True)
        downloads = result.get("requested_downloads") or []
        if not downloads:
            raise RecordError(Reason.EXTRACTOR, "yt-dlp downloaded nothing")
        page = _describe_video(info)
        page["extra"] = {**page["extra"], **fetch_subtitles(self._client, result, folder)}
        return Fetched(Path(downloads[0]["filepath"]), page)

    def _extract_one(self, url: str) -> VideoInfo:
        """Returns yt-dlp's information about the one video of a page. Raises RecordError if the page has none or several."""
        self._client.begin_video()
        info = self._extract(url, items=2)
        if info.get("_type") not in ("playlist", "multi_video"):
            return info
        videos: list[VideoInfo] = list(info.get("entries") or [])
        if not videos:
            raise RecordError(Reason.UNSUPPORTED_URL, "the page holds no media")
        if len(videos) > 1:
            count = info.get("playlist_count") or "several"
            raise RecordError(
                Reason.PLAYLIST, f"the page is a list of {count} videos: give the addresses of the videos that you want"
            )
        address = videos[0].get("url")
        return videos[0] if videos[0].get("formats") or not address or address == url else self._extract(address, 2)

    def _extract(self, address: str, items: int) -> VideoInfo:
        self._client.params["playlist_items"] = f"1:{items}"
        info: VideoInfo | None = self._client.extract_info(address, download=False)
        if info is None:
            raise RecordError(Reason.EXTRACTOR, "yt-dlp found nothing at the address")
        return info


def client_options(endpoints: dict[str, str]) -> Options:
    """Returns the options that tell yt-dlp where the embedded site is. endpoints: the addresses of the run's services, by name."""
    embedded = endpoints.get("embedded")
    return {"extractor_args": {"vidalembedded": {"base_url": [embedded]}}} if embedded else {}


def _candidate_of(result: VideoInfo) -> Candidate | None:
    """Returns the candidate of a search result; None if the result has no address."""
    url = result.get("webpage_url") or result.get("url")
    if not url:
        return None
    platform = str(result.get("ie_key") or result.get("extractor_key") or "generic").lower()
    source_id = str(result.get("id") or url)
    return {
        "candidate_id": ids.candidate_id(platform, source_id, None, None),
        "source": "ytdlp",
        "platform": platform,
        "source_id": source_id,
        "url": url,
        "title": result.get("title"),
        "duration_s": fit_number(result.get("duration")) or None,
        "curated": False,
        "extra": stated_texts(result, "view_count"),
    }


def _describe_video(info: VideoInfo) -> Candidate:
    return {
        "title": info.get("title") or "",
        "hashtags": parse_hashtags(info.get("title"), info.get("description")),
        "uploader": info.get("uploader") or info.get("channel"),
        "licence": info.get("license"),
        "duration_s": fit_number(info.get("duration")) or None,
        "kind": _kind_of(info),
        "extra": {**stated_texts(info, *_EXTRA), **_stated_lists(info)},
    }


def _stated_lists(info: VideoInfo) -> dict[str, str]:
    """Returns the categories and chapters of a page as JSON. Those of a wrong type are left out."""
    stated_categories, stated_chapters = info.get("categories"), info.get("chapters")
    categories = [name[:_TITLE_MAX] for name in _listed(stated_categories, str)[:_CATEGORIES_MAX]]
    chapters = [
        {"start_time": start_s, "end_time": end_s, "title": str(chapter.get("title") or "")[:_TITLE_MAX]}
        for chapter in _listed(stated_chapters, dict)[:_CHAPTERS_MAX]
        if (start_s := fit_number(chapter.get("start_time"))) is not None
        and (end_s := fit_number(chapter.get("end_time"))) is not None
    ]
    lists = {"categories": categories, "chapters": chapters}
    return {key: json.dumps(values, ensure_ascii=False) for key, values in lists.items() if values}


def _listed(values: object, kind: type[T]) -> list[T]:
    return [value for value in values if isinstance(value, kind)] if isinstance(values, list) else []


def _kind_of(info: VideoInfo) -> str | None:
    """Returns "video" or "audio", as the page states it; None if only the file itself can tell."""
    media_type = info.get("media_type")
    if media_type in (Kind.VIDEO.value, Kind.AUDIO.value):
        return str(media_type)
    return Kind.AUDIO.value if info.get("vcodec") == "none" else None
