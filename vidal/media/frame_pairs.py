"""Reads pairs of frames that follow each other closely, at a few places of a video, to measure motion.

Stored frames are seconds apart, which is too far for optical flow. Decoding the whole file again would double the cost of the
stored frames. So decoding starts at the key frame before each place, and stops after at most WALK_MAX frames. If it has not reached the
place by then, the pair is read where it stopped.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer

from vidal.errors import RecordError
from vidal.media.arrays import UInt8Array
from vidal.media.container import TrackReader, ffmpeg_message, open_media, packet_times, video_track
from vidal.media.display import short_side_size
from vidal.schema import Reason

SHORT_SIDE = 128
# Not the very next frame: a file of 30 frames a second may show 15 pictures, each of them twice, and the two would not differ.
GAP_S = 0.08
WALK_MAX = 48  # How many frames are decoded at most to reach a place.


@dataclass(frozen=True)
class FramePair:
    """Two frames of a video that follow each other closely.

    before, after: (h, w) uint8 gray, full range, short side SHORT_SIDE or less. gap_s: the seconds between them.
    """

    before: UInt8Array
    after: UInt8Array
    gap_s: float


def middle_indices(total: int, count: int) -> list[int]:
    """Divides `total` frames into `count` equal spans, and returns the index of each span's middle frame, without repetitions.

    Middles are chosen because the first and last frames of a video are often black.
    """
    return sorted({int(total * (2 * i + 1) / (2 * count)) for i in range(count)})


def read_frame_pairs(path: Path, count: int) -> list[FramePair]:
    """Returns pairs of frames that follow each other closely, from at most `count` places of a video, in order.

    Returns no pairs if the file has no video track or only a single frame.

    Raises RecordError(corrupt) if FFmpeg cannot read the file.
    """
    try:
        with open_media(path) as container:
            stream = video_track(container)
            if stream is None:
                return []
            stream.thread_type = "NONE"
            packets = packet_times(container, stream)
            times = [pts for pts, _, _ in packets]
            keys = [pts for pts, _, key in packets if key]
            targets = [times[i] for i in middle_indices(len(times), count)] if times else []
            return list(_pairs(container, stream, targets, keys))
    except av.error.FFmpegError as error:
        raise RecordError(Reason.CORRUPT, ffmpeg_message(error)) from error


def _pairs(container: InputContainer, stream: Any, targets: list[int], keys: list[int]) -> Iterator[FramePair]:
    """Yields at most one pair of frames for each time in `targets`.

    keys: the times of the key frames, where decoding can start. All times are ascending, in the stream's time base.
    """
    gap = round(GAP_S / stream.time_base)
    decoder: Iterator[Any] | None = None
    at: int | None = None
    for pts in targets:
        key = max((k for k in keys if k <= pts), default=None)
        if decoder is None or (key is not None and (at is None or key > at)):
            container.seek(targets[0] if key is None else key, stream=stream, backward=True)
            decoder = TrackReader(container, stream).frames()
        before = _walk(decoder, pts)
        after = _walk(decoder, before.pts + gap) if before else None
        if before is None or after is None:
            return
        at = after.pts
        first, second = _gray(before, stream), _gray(after, stream)
        if after.pts > before.pts and first.shape == second.shape:  # The size may change in the middle of a file.
            yield FramePair(first, second, float((after.pts - before.pts) * stream.time_base))


def _walk(decoder: Iterator[Any], pts: int) -> Any:
    """Decodes frames until one is at or after pts. Returns this frame.

    The decoding also ends after WALK_MAX frames, and at the end of the file. In these cases, returns the last decoded frame, or None if
    no frame was decoded. Frames without a time do not count.
    """
    current = None
    for _ in range(WALK_MAX):
        following = next((frame for frame in decoder if frame.pts is not None), None)
        if following is None:
            return current
        current = following
        if current.pts >= pts:
            break
    return current


def _gray(frame: Any, stream: Any) -> UInt8Array:
    aspect = float(stream.sample_aspect_ratio or 1)
    width, height = short_side_size(max(1, round(frame.width * aspect)), frame.height, SHORT_SIDE)
    values: UInt8Array = frame.to_ndarray(format="gray", width=width, height=height, interpolation="AREA")
    return values
