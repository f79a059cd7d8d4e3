"""What yt-dlp says about a video: the keys of yt-dlp's information dictionary that are used here, as its documentation describes them."""

from __future__ import annotations

from typing import Any, TypedDict

# A format of yt-dlp, which only yt-dlp looks into.
Format = Any


class Chapter(TypedDict, total=False):
    start_time: float
    end_time: float
    title: str


class Track(TypedDict, total=False):
    """A file of subtitles, given by its address (url) or its content (data)."""

    url: str
    ext: str
    data: str
    http_headers: dict[str, str]


VideoInfo = TypedDict(
    "VideoInfo",
    {
        "_type": str,
        "id": str,
        "url": str,
        "webpage_url": str,
        "ie_key": str,
        "extractor_key": str,
        "title": str,
        "description": str,
        "uploader": str,
        "channel": str,
        "license": str,
        "upload_date": str,
        "categories": "list[str]",
        "chapters": "list[Chapter]",
        "subtitles": "dict[str, list[Track]]",
        "automatic_captions": "dict[str, list[Track]]",
        "http_headers": "dict[str, str]",
        "duration": float,
        "media_type": str,
        "vcodec": str,
        "is_live": bool,
        "live_status": str,
        "entries": "list[VideoInfo]",
        "playlist_count": int,
        "formats": list[Format],
        "requested_formats": list[Format],
        "requested_downloads": "list[VideoInfo]",
        "filepath": str,
        # The downloaded files, one for each format.
        "__files_to_merge": list[str],
    },
    total=False,
)
