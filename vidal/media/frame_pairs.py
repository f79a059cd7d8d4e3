"""Pairs of pictures that follow each other closely, at a few places of a video, for what only shows between neighbours.

Stored frames are seconds apart: no flow can be followed over that. Decoding the whole file again would double the cost
of the keyframes, so each place is reached from the key frame before it with a bounded walk, and is taken where the walk ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np

from vidal.errors import RecordError
from vidal.media.frames import short_side_size
from vidal.media.probe import ffmpeg_message, open_media, packet_times
from vidal.schema import Reason

SHORT_SIDE = 128
# Not the very next picture: 15 pictures a second in a file of 30 are each there twice, and would not move.
GAP_S = 0.08
WALK_MAX = 48


@dataclass(frozen=True)
class FramePair:
    """before, after: (h, w) uint8 gray, full range; gap_s: the time between them."""

    before: np.ndarray
    after: np.ndarray
    gap_s: float


def middle_indices(total: int, count: int) -> list[int]:
    """Indices in the middle of `count` equal spans of `total` pictures: neither the first nor the last, which are often black."""
    return sorted({int(total * (2 * i + 1) / (2 * count)) for i in range(count)})


def read_frame_pairs(path: Path, count: int) -> list[FramePair]:
    """At most `count` pairs, in order; none where the video has a single picture. Raises RecordError(corrupt)."""
    try:
        with open_media(path) as container:
            stream = container.streams.video[0]
            stream.thread_type = "NONE"
            packets = packet_times(container, stream)
            times = [pts for pts, _, _ in packets]
            keys = [pts for pts, _, key in packets if key]
            wanted = [times[i] for i in middle_indices(len(times), count)] if times else []
            return list(_pairs(container, stream, wanted, keys))
    except av.error.FFmpegError as error:
        raise RecordError(Reason.CORRUPT, ffmpeg_message(error)) from error


def _pairs(container: Any, stream: Any, wanted: list[int], keys: list[int]) -> Iterator[FramePair]:
    gap = round(GAP_S / stream.time_base)
    decoder: Iterator[Any] | None = None
    at: int | None = None
    for pts in wanted:
        key = max((k for k in keys if k <= pts), default=None)
        if decoder is None or (key is not None and (at is None or key > at)):
            container.seek(wanted[0] if key is None else key, stream=stream, backward=True)
            decoder = iter(container.decode(stream))
        before = _walk(decoder, pts)
        after = _walk(decoder, before.pts + gap) if before else None
        if before is None or after is None:
            return
        at = after.pts
        if after.pts > before.pts:
            yield FramePair(_gray(before, stream), _gray(after, stream), float((after.pts - before.pts) * stream.time_base))


def _walk(decoder: Iterator[Any], pts: int) -> Any:
    """The first picture at or after pts, or the last one of a walk of WALK_MAX; None at the end of the file."""
    found = None
    for _ in range(WALK_MAX):
        following = next((frame for frame in decoder if frame.pts is not None), None)
        if following is None:
            return found
        found = following
        if found.pts >= pts:
            break
    return found


def _gray(frame: Any, stream: Any) -> np.ndarray:
    aspect = float(stream.sample_aspect_ratio or 1)
    width, height = short_side_size(max(1, round(frame.width * aspect)), frame.height, SHORT_SIDE)
    values: np.ndarray = frame.to_ndarray(format="gray", width=width, height=height, interpolation="AREA")
    return values
