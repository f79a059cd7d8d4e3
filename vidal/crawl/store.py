"""Stores a span of a downloaded file as a media file of its own, and returns the row of the clip in the table of the crawl."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from vidal import ids
from vidal.config.recipe import Recipe
from vidal.crawl.media_file import MediaFile, Span
from vidal.crawl.span_writer import SLACK_S, SpanWriter
from vidal.extra import SUBTITLE, SUBTITLE_CUES
from vidal.media import shots
from vidal.media.probe import Probe
from vidal.records import Candidate, CrawledClip
from vidal.schema import Kind
from vidal.sources.subtitle_files import words_between
from vidal.sources.text import clean_text
from vidal.storage.atomic_file import link_or_copy
from vidal.storage.storage import Storage

# Codecs that browsers and decoders accept in an MP4. A video with any other codec is re-encoded, so that everyone can play video.mp4.
_MP4_CODECS = {"h264", "hevc", "av1", "libdav1d", "mpeg4", "vp9"}


@dataclass(frozen=True)
class _ClipFile:
    """A clip's own file before it is moved to storage."""

    properties: Probe
    sha256: str
    start_s: float
    duration_s: float


class ClipStore:
    """Writes clips of candidates to the storage of a dataset."""

    def __init__(self, recipe: Recipe, storage: Storage):
        self._recipe, self._storage, self._writer = recipe, storage, SpanWriter(recipe)

    def store_clip(self, candidate: Candidate, file: MediaFile, span: Span, cuts_s: list[float] | None) -> CrawledClip:
        """Stores the span as a media file, and returns the row of the clip.

        Writes no file if the span is the whole file and the recipe sets `storage.media: reference`. The row then names the user's file.
        cuts_s: the times of all changes of shot in the file, in seconds; None if they were not looked for. Raises RecordError if the span
        cannot be cut out of the file.
        """
        cut_count = None if cuts_s is None else shots.count_cuts(cuts_s, span.start_s, span.duration_s)
        if self._recipe.storage.media == "reference" and span.is_whole:
            clip_file = _ClipFile(file.properties, file.sha256, span.start_s, span.duration_s)
            return self._make_row(candidate, file, span, clip_file, candidate["media_url"] or "", cut_count)
        with _sibling_path(file.path) as path:
            clip_file = self._write_span(file, span, path)
            name = "video.mp4" if file.kind is Kind.VIDEO else "source"
            media_path = self._storage.media.put(candidate["shard"], _clip_id(candidate, clip_file), name, path)
        return self._make_row(candidate, file, span, clip_file, media_path, cut_count)

    def _write_span(self, file: MediaFile, span: Span, path: Path) -> _ClipFile:
        """Writes the span to path. A span that is only a part of the file is re-encoded.

        A whole file is hard-linked or copied if its kind is AUDIO, or if it is an MP4 with a codec in _MP4_CODECS. Any other whole file
        is re-encoded.
        """
        if span.is_whole and (file.kind is Kind.AUDIO or _is_plain_mp4(file.properties)):
            link_or_copy(file.path, path)
            return _ClipFile(file.properties, file.sha256, span.start_s, span.duration_s)
        properties = self._writer.write(file, span, path)
        # A sound is cut exactly, so a small difference is an inaccuracy of its container. A larger one is real.
        is_exact = file.kind is Kind.AUDIO and abs(properties.duration_s - span.duration_s) < SLACK_S
        duration_s = span.duration_s if is_exact else properties.duration_s
        return _ClipFile(properties, ids.file_sha256(path), span.start_s, duration_s)

    def _make_row(
        self,
        candidate: Candidate,
        file: MediaFile,
        span: Span,
        clip_file: _ClipFile,
        media_path: str,
        cut_count: int | None,
    ) -> CrawledClip:
        properties, is_video = clip_file.properties, file.kind is Kind.VIDEO
        title, hashtags = candidate["title"], candidate["hashtags"] or []
        return {
            "clip_id": _clip_id(candidate, clip_file),
            "candidate_id": candidate["candidate_id"],
            "kind": file.kind.value,
            "shard": candidate["shard"],
            "platform": candidate["platform"],
            "source_id": candidate["source_id"],
            "url": candidate["url"],
            "uploader": candidate["uploader"],
            "licence": candidate["licence"],
            "retrieved_at": self._recipe.crawl.retrieved_at or datetime.now(timezone.utc),
            "search_terms": candidate["search_terms"],
            "title": title,
            "hashtags": hashtags,
            "language": None,  # A later stage detects it.
            "text": clean_text(title or "", hashtags, self._recipe.text),
            "start_s": clip_file.start_s,
            "duration_s": round(clip_file.duration_s, 6),
            "fps": round(properties.fps, 4) if is_video else None,
            "width": properties.width if is_video else None,
            "height": properties.height if is_video else None,
            "has_audio": properties.has_audio,
            "cuts": cut_count,
            "media_path": media_path,
            "media_sha256": clip_file.sha256,
            "source_sha256": file.sha256,
            "extra": sorted({**_own_subtitle(candidate["extra"], span), **_flags(file.properties)}.items()),
        }


def _clip_id(candidate: Candidate, clip_file: _ClipFile) -> str:
    return ids.clip_id(candidate["candidate_id"], clip_file.start_s, clip_file.duration_s)


def _own_subtitle(extra: Mapping[str, str], span: Span) -> dict[str, str]:
    """Returns `extra`, a column of the candidate, with its subtitles cut to the span."""
    others = {key: text for key, text in extra.items() if key != SUBTITLE_CUES}
    if SUBTITLE in extra or SUBTITLE_CUES not in extra:
        return others
    times_s = () if span.is_whole else (span.start_s, span.start_s + span.duration_s)
    return {**others, SUBTITLE: words_between(extra[SUBTITLE_CUES], *times_s)}


def _flags(source: Probe) -> dict[str, str]:
    """Returns entries for the clip's column `extra`: "hdr" and "interlaced", each only if it is true of the source file."""
    flags = {"hdr": source.is_hdr, "interlaced": source.is_interlaced}
    return {name: "true" for name, is_set in flags.items() if is_set}


def _is_plain_mp4(properties: Probe) -> bool:
    return "mp4" in properties.container and properties.codec in _MP4_CODECS


@contextlib.contextmanager
def _sibling_path(path: Path) -> Iterator[Path]:
    """Yields an unused path beside a download. At the end of the context, deletes the file at this path, if there is one."""
    sibling = path.with_name(f"{uuid.uuid4().hex}.part")
    try:
        yield sibling
    finally:
        sibling.unlink(missing_ok=True)
