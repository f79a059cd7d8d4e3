"""Writes a span of a downloaded file to a file of its own, and checks that the new file contains the whole span."""

from __future__ import annotations

from pathlib import Path

from vidal.config.recipe import Recipe
from vidal.crawl.media_file import MediaFile, Span
from vidal.errors import RecordError
from vidal.media import limited, transcode
from vidal.media.probe import Probe, probe
from vidal.media.settings import Limits
from vidal.schema import Kind, Reason

# A cut may begin and end up to a frame late or early.
SLACK_S = 0.25


class SpanWriter:
    """Cuts spans out of files and re-encodes them, within the limits of the recipe."""

    def __init__(self, recipe: Recipe):
        self._recipe = recipe

    def write(self, file: MediaFile, span: Span, path: Path) -> Probe:
        """Writes a span to path, re-encoded; the span may be the whole file. Returns the properties of the new file.

        Raises RecordError if the file cannot be cut, or if the new file lacks part of the span, or is too short or too long for the
        recipe.
        """
        if file.kind is Kind.AUDIO:
            limits = self._limits(file)
            transcode.cut_audio(file.path, path, file.properties, limits, (span.start_s, span.duration_s))
            properties = self._probe(path, Kind.AUDIO)
        else:
            properties = self._write_video(file, span, path)
        if (lack_s := _lack_s(file, span, properties)) > SLACK_S:
            raise RecordError(
                Reason.TRUNCATED,
                f"the clip lacks {lack_s:.2f} s of its span, which lasts {span.duration_s:g} s",
            )
        self._check_length(properties.duration_s, file.kind)
        return properties

    def _write_video(self, file: MediaFile, span: Span, path: Path) -> Probe:
        """Writes a span as an MP4.

        There are two ways to decode a span. The slow way starts at the beginning of the file. The fast way starts at the key frame
        before the span.

        If the file has no index, or if the span is the whole file, only the slow way is used. In all other cases, the fast way is tried
        first. If the new file lacks part of the span, the slow way is tried next. If the fast way raises a RecordError other than
        too_costly, the slow way is also tried next.
        """
        if not span.is_whole and transcode.is_indexed(file.properties):
            try:
                properties = self._encode(file, span, path, seeks=True)
            except RecordError as error:
                if error.reason is Reason.TOO_COSTLY:
                    raise
            else:
                if _lack_s(file, span, properties) <= SLACK_S:
                    return properties
        return self._encode(file, span, path, seeks=False)

    def _encode(self, file: MediaFile, span: Span, path: Path, *, seeks: bool) -> Probe:
        times = None if span.is_whole else (span.start_s, span.duration_s)
        transcode.to_mp4(file.path, path, file.properties, self._limits(file), times, seeks=seeks)
        return self._probe(path, Kind.VIDEO)

    def _probe(self, path: Path, kind: Kind) -> Probe:
        max_pixels = self._recipe.crawl.max_pixels
        limits = self._recipe.decoding.limits(max_pixels=max_pixels)
        return limited.call(limits, probe, path, max_pixels=max_pixels, kind=kind.value)

    def _limits(self, file: MediaFile) -> Limits:
        return self._recipe.decoding.limits(media_s=file.properties.duration_s)

    def _check_length(self, duration_s: float, kind: Kind) -> None:
        """Raises RecordError if a clip is shorter or longer than the recipe wants: the file may have stated a wrong duration."""
        crawl, max_s = self._recipe.crawl, self._recipe.duration_max_s(is_sound=kind is Kind.AUDIO)
        if duration_s < crawl.duration_min_s - SLACK_S:
            raise RecordError(
                Reason.TOO_SHORT,
                f"the clip lasts {duration_s:.2f} s, less than the {crawl.duration_min_s:g} s of crawl.duration_min_s",
            )
        if duration_s > max_s + crawl.duration_tolerance_s:
            raise RecordError(
                Reason.TOO_LONG, f"the clip lasts {duration_s:.2f} s, more than the {max_s:g} s that the recipe allows"
            )


def _lack_s(file: MediaFile, span: Span, properties: Probe) -> float:
    """Returns how many seconds of the span the new file lacks. What lies after the end of the source file does not count."""
    end_s = min(span.start_s + span.duration_s, file.properties.duration_s)
    return end_s - span.start_s - properties.duration_s
