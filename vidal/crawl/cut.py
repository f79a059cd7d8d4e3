"""Decides where a downloaded file is cut: at the span that a catalogue asks for, or, if the video is long, at its shots."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vidal.config.recipe import Recipe
from vidal.crawl.media_file import MediaFile, Span
from vidal.errors import RecordError
from vidal.media import shots
from vidal.pipeline.stage import Drop
from vidal.records import Candidate
from vidal.schema import Kind, Reason

if TYPE_CHECKING:
    from vidal.models.shots import ShotDetector


class Cutter:
    """Cuts long videos into pieces at their shots, if the recipe names a shot detector."""

    def __init__(self, recipe: Recipe):
        self._clips, self._recipe = recipe.clips, recipe
        clips = recipe.clips
        self._detector = _open_detector(clips.detector, clips.threshold) if clips.detector else None

    def find_cuts(self, file: MediaFile) -> list[float] | None:
        """Returns the times of the cuts of a video in seconds; None for a sound, or without a detector.

        Raises RecordError if no picture decodes, or if the decoding crashes or exceeds a limit of the recipe.
        """
        if self._detector is None or file.kind is Kind.AUDIO:
            return None
        recipe = self._recipe
        limits = recipe.decoding.limits(media_s=file.properties.duration_s, max_pixels=recipe.crawl.max_pixels)
        times_s, pictures = shots.read_thumbnails(file.path, limits)
        return shots.cut_times(times_s, self._detector.find_shot_starts(pictures))

    def is_too_long(self, span: Span) -> bool:
        """Returns whether a span must be cut into pieces. A span that a catalogue asks for stays as it is."""
        return span.is_whole and span.duration_s > self._clips.max_s

    def split_at_cuts(self, span: Span, cuts_s: list[float]) -> list[Span]:
        """Splits a long video at its cuts. span: the whole video.

        Raises RecordError(too_short) if every piece is shorter than clips.min_s.
        """
        pieces = shots.split_at_cuts(cuts_s, span.duration_s, self._clips.max_s, self._clips.min_s)
        if not pieces:
            raise RecordError(
                Reason.TOO_SHORT, f"every piece of the video is shorter than clips.min_s ({self._clips.min_s:g} s)"
            )
        return [Span(start_s, duration_s) for start_s, duration_s in pieces]


def requested_span(candidate: Candidate, file_duration_s: float) -> Span:
    """Returns the span that a catalogue asks for, or the whole file."""
    start_s = candidate["start_s"] or 0.0
    is_whole = candidate["start_s"] is None and candidate["end_s"] is None
    return Span(start_s, (candidate["end_s"] or file_duration_s) - start_s, is_whole)


def judge_span(candidate: Candidate, span: Span, file: MediaFile, recipe: Recipe) -> Drop | None:
    """Returns a Drop if the span is too long or too short, else None. Raises RecordError(span_outside) if it is not within the file."""
    file_duration_s, end_s = file.properties.duration_s, span.start_s + span.duration_s
    max_s, min_s = recipe.duration_max_s(is_sound=file.kind is Kind.AUDIO), recipe.crawl.duration_min_s
    if end_s > file_duration_s + recipe.crawl.duration_tolerance_s or span.start_s >= file_duration_s:
        raise RecordError(
            Reason.SPAN_OUTSIDE,
            f"the span is {span.start_s:g} to {end_s:g} s, but the file lasts {file_duration_s:.2f} s",
        )
    if span.duration_s > max_s:
        stated_s = candidate["duration_s"]
        if stated_s and stated_s <= max_s and candidate["end_s"] is None:
            return Drop(
                Reason.FALSE_DURATION,
                f"the page states {stated_s:g} s, but the clip would last {span.duration_s:.2f} s, "
                f"more than the {max_s:g} s that the recipe allows",
            )
        return Drop(
            Reason.TOO_LONG,
            f"the clip would last {span.duration_s:.2f} s, more than the {max_s:g} s that the recipe allows",
        )
    if span.duration_s < min_s:
        return Drop(
            Reason.TOO_SHORT,
            f"the clip would last {span.duration_s:.2f} s, less than the {min_s:g} s of crawl.duration_min_s",
        )
    return None


def _open_detector(name: str, threshold: float | None) -> ShotDetector:
    from vidal.models.shots import (
        DETECTORS,
    )  # Loads OpenCV and perhaps torch, which only a recipe with a shot detector needs.

    return DETECTORS[name](threshold)
