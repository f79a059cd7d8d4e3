"""Candidates and media by yt-dlp: any of its search keys, any page or file address it can read."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import yt_dlp
from yt_dlp.utils import DownloadCancelled

from vidal import ids
from vidal.config import Crawl
from vidal.crawl.outcomes import from_ytdlp
from vidal.errors import RecordError
from vidal.media.ffmpeg import executable
from vidal.schema import Kind, Reason
from vidal.sources import Candidate
from vidal.sources.text import hashtags


class _Limit(DownloadCancelled):
    def __init__(self, reason: Reason, message: str):
        super().__init__(message)
        self.reason = reason


class _Silent:
    """yt-dlp's messages reach the ledger as exceptions; its console output would drown the progress."""

    def debug(self, message: str) -> None: ...
    def info(self, message: str) -> None: ...
    def warning(self, message: str) -> None: ...
    def error(self, message: str) -> None: ...


class YtDlp:
    """One YoutubeDL object a thread: making one costs more than a small download."""

    def __init__(self, crawl: Crawl, endpoints: dict[str, str]):
        self._crawl = crawl
        self._deadline = 0.0
        self._folder = "."
        self._ydl = yt_dlp.YoutubeDL(self._options(endpoints))

    def search(self, term: str, limit: int, key: str = "ytsearch") -> list[Candidate]:
        """key: a yt-dlp search key, such as ytsearch."""
        info = self._call(f"{key}{limit}:{term}", download=False)
        return [found for entry in info.get("entries") or [] if (found := _found(entry))]

    def describe(self, candidate: Candidate) -> Candidate:
        """Asks the page. Keeps what the candidate already says: a catalogue's word goes before the page's."""
        info = self._info(candidate["url"])
        described = dict(candidate)
        for column, value in _description(info).items():
            if described.get(column) in (None, "", []):
                described[column] = value
        described["extra"] = {**_extra(info), **dict(candidate.get("extra") or {})}
        return described

    def fetch(self, candidate: Candidate, folder: Path) -> Path:
        """The one file that arrived. Its name is ours: the page has no say in it."""
        self._folder = str(folder)
        info = self._call(candidate["url"], download=True)
        entry = _single(info)
        downloads = entry.get("requested_downloads") or []
        if not downloads:
            raise RecordError(Reason.TOO_LARGE, f"yt-dlp skipped it: over {self._crawl.max_bytes} bytes")
        return Path(downloads[0]["filepath"])

    def _info(self, url: str) -> dict[str, Any]:
        return _single(self._call(url, download=False))

    def _call(self, url: str, *, download: bool) -> dict[str, Any]:
        self._deadline = time.monotonic() + self._crawl.timeout_s
        self._ydl.params["outtmpl"]["default"] = f"{self._folder}/media.%(ext)s"
        try:
            info = self._ydl.extract_info(url, download=download)
        except _Limit as error:
            raise RecordError(error.reason, str(error), transient=error.reason is Reason.TIMEOUT) from error
        except yt_dlp.utils.YoutubeDLError as error:
            raise from_ytdlp(error) from error
        if info is None:
            raise RecordError(Reason.EXTRACTOR, "yt-dlp found nothing at the address")
        return info

    def _watch(self, progress: dict[str, Any]) -> None:
        if time.monotonic() > self._deadline:
            raise _Limit(Reason.TIMEOUT, f"took longer than {self._crawl.timeout_s:g} s")
        if (progress.get("downloaded_bytes") or 0) > self._crawl.max_bytes:
            raise _Limit(Reason.TOO_LARGE, f"more than {self._crawl.max_bytes} bytes")

    def _options(self, endpoints: dict[str, str]) -> dict[str, Any]:
        crawl = self._crawl
        options: dict[str, Any] = {
            "logger": _Silent(),
            "quiet": True,
            "noprogress": True,
            "progress_hooks": [self._watch],
            "extract_flat": "in_playlist",
            "noplaylist": True,
            "format": crawl.format,
            "outtmpl": {"default": "media.%(ext)s"},
            "overwrites": True,
            "cachedir": False,
            "updatetime": False,
            "writethumbnail": False,
            # Attempts, back-off and their count are the governor's; a second layer would hide them.
            "retries": 0,
            "fragment_retries": 0,
            "extractor_retries": 0,
            "file_access_retries": 0,
            "socket_timeout": crawl.stall_s,
            "max_filesize": crawl.max_bytes,
            "hls_prefer_native": True,  # ffmpeg would open whatever address a playlist names.
            "ffmpeg_location": executable(),
            "extractor_args": {},
        }
        if crawl.cookies_file:
            options["cookiefile"] = crawl.cookies_file
        if crawl.proxy:
            options["proxy"] = crawl.proxy
        if crawl.user_agent:
            options["http_headers"] = {"User-Agent": crawl.user_agent}
        if embedded := endpoints.get("embedded"):
            options["extractor_args"]["vidalembedded"] = {"base_url": [embedded]}
        return options


def _single(info: dict[str, Any]) -> dict[str, Any]:
    """A page with several videos: the first. The page was a candidate, its playlist was not."""
    if info.get("_type") not in ("playlist", "multi_video"):
        return info
    entries = list(info.get("entries") or [])
    if not entries:
        raise RecordError(Reason.UNSUPPORTED_URL, "the page holds no media")
    return entries[0]


def _found(entry: dict[str, Any]) -> Candidate | None:
    url = entry.get("webpage_url") or entry.get("url")
    if not url:
        return None
    platform = str(entry.get("ie_key") or entry.get("extractor_key") or "generic").lower()
    source_id = str(entry.get("id") or url)
    return {
        "candidate_id": ids.candidate_id(platform, source_id, None, None),
        "platform": platform,
        "source_id": source_id,
        "url": url,
        "title": entry.get("title"),
        "duration_s": _number(entry.get("duration")),
        "curated": False,
    }


def _description(info: dict[str, Any]) -> dict[str, Any]:
    tags = hashtags(info.get("title"), info.get("description"))
    return {
        "title": info.get("title") or "",
        "hashtags": tags,
        "uploader": info.get("uploader") or info.get("channel"),
        "licence": info.get("license"),
        "duration_s": _number(info.get("duration")),
        "kind": _kind(info),
    }


def _kind(info: dict[str, Any]) -> str | None:
    if info.get("media_type") in (Kind.VIDEO.value, Kind.AUDIO.value):
        return info["media_type"]
    return Kind.AUDIO.value if info.get("vcodec") == "none" else None


def _extra(info: dict[str, Any]) -> dict[str, str]:
    keys = ("origin", "note", "upload_date", "view_count", "description")
    return {key: str(info[key]) for key in keys if info.get(key) not in (None, "")}


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and value > 0 else None
