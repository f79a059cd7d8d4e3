"""Videos of PeerTube: the search of one instance, or Sepia Search over many instances. Files come from the video's own instance."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from pydantic import Field

from vidal import ids
from vidal.errors import RecordError
from vidal.net.urls import check_url
from vidal.records import Candidate
from vidal.schema import Kind, Reason
from vidal.sources.api_source import ApiSearch, ApiSource, JsonObject, reading_answers
from vidal.sources.settings import Minimum
from vidal.sources.source import fill_in, stated_texts
from vidal.sources.text import parse_hashtags

_PAGE_SIZE = 100
_HEIGHT_MIN = 480  # Lines. Frames are stored with a short side of 256 pixels, so the smallest file of at least this height is enough.


class PeerTubeSearch(ApiSearch):
    """The settings of a search of PeerTube. A video with fewer comments than comments_min is dropped."""

    source: str = "peertube"
    """Name of the source."""
    comments_min: int | None = Field(default=None, ge=0)
    """Lowest number of comments."""

    def minimums(self) -> tuple[Minimum, ...]:
        return (Minimum("comments", self.comments_min, Reason.FEW_COMMENTS),)


class PeerTube(ApiSource):
    """Finds, describes and fetches videos of PeerTube through its REST API. See https://docs.joinpeertube.org/api-rest-reference.html."""

    settings = PeerTubeSearch
    default_base_url = "https://sepiasearch.org"

    @reading_answers()
    def describe(self, candidate: Candidate) -> Candidate:
        """Asks the video's own instance for the title, tags, licence and files of the video."""
        check_url(candidate["url"])
        parts = urlsplit(candidate["url"])
        video = self._get_json(f"{parts.scheme}://{parts.netloc}/api/v1/videos/{candidate['source_id']}")
        files = [*(video.get("files") or [])]
        for playlist in video.get("streamingPlaylists") or []:
            files += playlist.get("files") or []
        return fill_in({**candidate, "media_url": _choose_file(files)}, _describe_video(video))

    def _list_results(self, term: str, limit: int) -> Iterator[Candidate]:
        query = {
            "search": term,
            "sort": "-match",
            "nsfw": "false",
            "durationMax": int(self._duration_max_s),
            "count": min(limit, _PAGE_SIZE),
        }
        start = 0
        while True:
            answer = self._get_json("/api/v1/search/videos", {**query, "start": start})
            videos = answer.get("data") or []
            yield from map(_candidate_of, videos)
            start += len(videos)
            if not videos or start >= answer.get("total", 0):
                return


def _candidate_of(video: JsonObject) -> Candidate:
    source_id = video["uuid"]
    return {
        **_describe_video(video),
        "candidate_id": ids.candidate_id("peertube", source_id, None, None),
        "source": "peertube",
        "platform": "peertube",
        "source_id": source_id,
        "url": video["url"],
        "hashtags": [],  # The search states none; the page of the video does.
        "curated": False,
    }


def _describe_video(video: JsonObject) -> Candidate:
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
        "hashtags": list(dict.fromkeys([*tags, *parse_hashtags(video.get("name"), video.get("description"))])),
        "uploader": f"{account['name']}@{account.get('host', '')}" if account.get("name") else None,
        "licence": (video.get("licence") or {}).get("label"),
        "duration_s": video.get("duration"),
        "kind": Kind.VIDEO.value,
        "extra": stated_texts(stated, *stated),
    }


def _choose_file(files: list[JsonObject]) -> str:
    """Returns the address of the video file with the lowest resolution that has at least 480 lines.

    If all video files have fewer lines, returns the address of the one with the highest resolution. Raises RecordError(unsupported_url)
    if there is no video file.
    """
    videos = sorted(filter(_is_video_file, files), key=lambda file: file["resolution"]["id"])
    if not videos:
        raise RecordError(Reason.UNSUPPORTED_URL, "the video has no file to download")
    chosen = next((file for file in videos if file["resolution"]["id"] >= _HEIGHT_MIN), videos[-1])
    return str(chosen["fileUrl"])


def _is_video_file(file: JsonObject) -> bool:
    """Returns whether a file has an address and contains pictures. The resolution of a file with only sound is zero."""
    return bool(file.get("fileUrl") and (file.get("resolution") or {}).get("id"))
