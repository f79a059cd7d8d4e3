"""Handles the shots of a video: reads thumbnails of all frames for a detector, and returns the spans between the cuts."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np

from vidal.errors import RecordError
from vidal.media.arrays import UInt8Array
from vidal.media.probe import ffmpeg_message, open_media
from vidal.schema import Reason

# The input size of TransNetV2 (Souček and Lokoč 2020). It is also large enough to compare colours.
WIDTH, HEIGHT = 48, 27


def read_thumbnails(path: Path) -> tuple[list[float], UInt8Array]:
    """Returns the time of every frame in seconds from the first one, and (n, 27, 48, 3) uint8 RGB.

    Raises RecordError(corrupt) if no picture decodes.
    """
    times: list[float] = []
    thumbnails: list[UInt8Array] = []
    try:
        with open_media(path) as container:
            stream: Any = container.streams.video[0]
            for frame in container.decode(stream):
                if frame.pts is None:
                    continue
                times.append(float(frame.pts * stream.time_base))
                thumbnails.append(frame.to_ndarray(format="rgb24", width=WIDTH, height=HEIGHT, interpolation="AREA"))
    except av.error.FFmpegError as error:
        raise RecordError(Reason.CORRUPT, ffmpeg_message(error)) from error
    if not thumbnails:
        raise RecordError(Reason.CORRUPT, "no picture decodes")
    return [time - times[0] for time in times], np.stack(thumbnails)


def cut_times(times_s: list[float], firsts: list[int]) -> list[float]:
    """Returns the times of the cuts in seconds. A cut lies half way between two frames.

    firsts: the indices of the frames that begin a new shot.
    """
    return [(times_s[first - 1] + times_s[first]) / 2 for first in firsts if 0 < first < len(times_s)]


def split_at_cuts(cuts_s: list[float], duration_s: float, max_s: float, min_s: float) -> list[tuple[float, float]]:
    """Returns (start, duration) in seconds for each piece of a video.

    A piece is a shot. A shot longer than max_s is divided into equal pieces, and pieces shorter than min_s are left out.
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
