"""Fetches the subtitles of a video that yt-dlp has described. A failure costs only the view `subtitle`, not the video."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

from yt_dlp.utils import YoutubeDLError

from vidal.errors import RecordError
from vidal.extra import SUBTITLE_AUTOMATIC, SUBTITLE_CUES, SUBTITLE_ERROR, SUBTITLE_LANGUAGE
from vidal.net.errors import classify_error
from vidal.net.video_info import Track, VideoInfo
from vidal.net.work_budget import WorkStopped
from vidal.schema import Reason
from vidal.sources.subtitle_files import MAX_BYTES, read_cues

if TYPE_CHECKING:
    from vidal.net.client import Client

# The kinds of files that can be read, the best first.
_KINDS = ("vtt", "srt")


def fetch_subtitles(client: Client, info: VideoInfo, folder: Path) -> dict[str, str]:
    """Returns the best subtitles in the recipe's languages, as entries of the column `extra`.

    If they cannot be fetched or read, returns only the entry SUBTITLE_ERROR. Returns {} if the recipe names no language, or if the video
    has no .vtt or .srt track in these languages. folder: for temporary files.
    """
    track = next(_tracks(info, client.crawl.subtitles), None)
    if track is None:
        return {}
    language, is_automatic, file = track
    try:
        cues = read_cues(_download(client, info, file, folder))
    except YoutubeDLError as error:
        failure = error.error if isinstance(error, WorkStopped) else classify_error(error)
        return {SUBTITLE_ERROR: str(failure)}
    except RecordError as error:
        return {SUBTITLE_ERROR: str(error)}
    return {SUBTITLE_CUES: cues, SUBTITLE_AUTOMATIC: str(is_automatic).lower(), SUBTITLE_LANGUAGE: language}


def _tracks(info: VideoInfo, languages: tuple[str, ...]) -> Iterator[tuple[str, bool, Track]]:
    """Yields (language, is_automatic, file) of the wanted tracks, the best first: those written by people, then automatic ones."""
    by_people, by_machine = info.get("subtitles") or {}, info.get("automatic_captions") or {}
    for is_automatic, named in ((False, by_people), (True, by_machine)):
        for wanted in languages:
            for language in _matching(named, wanted):
                files = [file for file in named[language] if _is_readable(file)]
                yield from ((language, is_automatic, file) for file in sorted(files, key=_rank)[:1])


def _matching(named: Mapping[str, list[Track]], wanted: str) -> list[str]:
    """Returns the names of a language's tracks, the best first.

    "en-orig" is the spoken language. It comes before "en", which may be translated by a machine.
    """
    pattern = re.compile(rf"{re.escape(wanted)}(-.*)?", re.I)
    order = {f"{wanted}-orig".lower(): 0, wanted.lower(): 1}
    matches = [name for name, files in named.items() if pattern.fullmatch(name) and isinstance(files, list)]
    return sorted(matches, key=lambda name: order.get(name.lower(), 2))


def _rank(file: Track) -> int:
    return _KINDS.index(file["ext"])


def _is_readable(file: Track) -> bool:
    return file.get("ext") in _KINDS and bool(file.get("url") or file.get("data"))


def _download(client: Client, info: VideoInfo, file: Track, folder: Path) -> bytes:
    """Returns the content of a subtitle file. It is downloaded into `folder`, unless yt-dlp has its content already.

    Raises yt-dlp's errors, RecordError(extractor) if yt-dlp downloads nothing, and RecordError(too_large).
    """
    if file.get("data"):
        content = file["data"].encode()
    else:
        path = folder / f"subtitles.{file['ext']}"
        headers = file.get("http_headers") or info.get("http_headers")
        client.dl(str(path), cast("VideoInfo", {**file, "http_headers": headers}), True)
        if not path.is_file():
            raise RecordError(Reason.EXTRACTOR, "yt-dlp downloaded no subtitles")
        with path.open("rb") as opened:
            content = opened.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise RecordError(Reason.TOO_LARGE, f"the subtitles have more than {MAX_BYTES} bytes")
    return content
