"""Splits a video into pieces at its cuts: reads thumbnails, in which a shot detector finds the cuts, and computes the pieces."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import av
import numpy as np

from vidal.errors import RecordError
from vidal.media import limited
from vidal.media.arrays import UInt8Array
from vidal.media.container import TrackReader, ffmpeg_message, open_media, video_track
from vidal.media.settings import Limits
from vidal.schema import Reason
from vidal.storage import scratch

# The input size of TransNetV2 (Souček and Lokoč 2020). It is also large enough to compare colours.
WIDTH, HEIGHT = 48, 27


def read_thumbnails(path: Path, limits: Limits) -> tuple[list[float], UInt8Array]:
    """Returns the time of every frame in seconds from the first one, and the thumbnails, (n, 27, 48, 3) uint8 RGB.

    Raises RecordError: corrupt if the file cannot be read, or if no picture decodes; too_costly, timeout or too_many_pixels if decoding
    exceeds the limits; crashed if the decoding process crashes.
    """
    with scratch.folder("thumbnails") as folder:  # The thumbnails of an hour of video take 420 MB.
        raw = folder / "thumbnails"
        times = limited.call(limits, write_thumbnails, path, raw)
        thumbnails = np.fromfile(raw, np.uint8).reshape(-1, HEIGHT, WIDTH, 3)
    return [time - times[0] for time in times], thumbnails


def write_thumbnails(path: Path, raw: Path) -> list[float]:
    """Writes all thumbnails, (n, 27, 48, 3) uint8, to the file `raw`, and returns their times in seconds.

    Raises RecordError(corrupt) if no picture decodes.
    """
    times: list[float] = []
    try:
        with open_media(path) as container, raw.open("wb") as file:
            stream = video_track(container)
            frames = TrackReader(container, stream).frames() if stream else ()
            rate = float((stream and (stream.average_rate or stream.guessed_rate)) or 25)
            for frame in frames:
                times.append(len(times) / rate if frame.pts is None else float(frame.pts * stream.time_base))
                thumbnail = frame.to_ndarray(format="rgb24", width=WIDTH, height=HEIGHT, interpolation="AREA")
                file.write(thumbnail.tobytes())
    except av.error.FFmpegError as error:
        raise RecordError(Reason.CORRUPT, ffmpeg_message(error)) from error
    if not times:
        raise RecordError(Reason.CORRUPT, "no picture decodes")
    return times


def cut_times(times_s: list[float], firsts: list[int]) -> list[float]:
    """Returns the time of each cut in seconds: half way between the last frame of a shot and the first frame of the next.

    times_s: the time of each frame of the video. firsts: the indices of the frames that begin a new shot.
    """
    return [(times_s[first - 1] + times_s[first]) / 2 for first in firsts if 0 < first < len(times_s)]


def split_at_cuts(cuts_s: list[float], duration_s: float, max_s: float, min_s: float) -> list[tuple[float, float]]:
    """Returns (start, duration) in seconds for each piece of a video.

    Each shot is a piece, or, if it is longer than max_s, several equal pieces. Pieces shorter than min_s are left out.
    """
    bounds = [0.0, *(cut for cut in sorted(cuts_s) if 0.0 < cut < duration_s), duration_s]
    pieces: list[tuple[float, float]] = []
    for start, end in pairwise(bounds):
        count = max(1, math.ceil((end - start) / max_s - 1e-9))
        length = (end - start) / count
        pieces += [(start + index * length, length) for index in range(count)]
    return [(start, length) for start, length in pieces if length >= min_s]


def count_cuts(cuts_s: list[float], start_s: float, duration_s: float) -> int:
    """Returns how many cuts lie inside a span; a cut at its start or end does not count."""
    return sum(start_s + 1e-6 < cut < start_s + duration_s - 1e-6 for cut in cuts_s)
