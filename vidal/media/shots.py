"""Shots of a video: small pictures of all its frames for a detector, and the spans that its cuts leave."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import av
import numpy as np

from vidal.errors import RecordError
from vidal.media.probe import ffmpeg_message, open_media
from vidal.schema import Reason

# What TransNetV2 looks at (Souček and Lokoč 2020); enough for a comparison of colours too.
WIDTH, HEIGHT = 48, 27


def read_thumbnails(path: Path) -> tuple[list[float], np.ndarray]:
    """Seconds of every frame from the first one, and (n, 27, 48, 3) uint8 RGB. Raises RecordError(corrupt)."""
    times, pictures = [], []
    try:
        with open_media(path) as container:
            stream = container.streams.video[0]
            for frame in container.decode(stream):
                if frame.pts is None:
                    continue
                times.append(float(frame.pts * stream.time_base))
                pictures.append(frame.to_ndarray(format="rgb24", width=WIDTH, height=HEIGHT, interpolation="AREA"))
    except av.error.FFmpegError as error:
        raise RecordError(Reason.CORRUPT, ffmpeg_message(error)) from error
    if not pictures:
        raise RecordError(Reason.CORRUPT, "no picture decodes")
    return [time - times[0] for time in times], np.stack(pictures)


def cut_times(times_s: list[float], firsts: list[int]) -> list[float]:
    """firsts: indices of the frames that begin a new shot. A cut lies half way between two frames."""
    return [(times_s[first - 1] + times_s[first]) / 2 for first in firsts if 0 < first < len(times_s)]


def split_at_cuts(cuts_s: list[float], duration_s: float, max_s: float, min_s: float) -> list[tuple[float, float]]:
    """(start, duration) of the pieces of a video: its shots, a long one in equal pieces; what is shorter than min_s is left out."""
    bounds = [0.0, *(cut for cut in sorted(cuts_s) if 0.0 < cut < duration_s), duration_s]
    found = []
    for start, end in pairwise(bounds):
        count = max(1, math.ceil((end - start) / max_s - 1e-9))
        length = (end - start) / count
        found += [(start + index * length, length) for index in range(count)]
    return [(start, length) for start, length in found if length >= min_s]


def count_cuts(cuts_s: list[float], start_s: float, duration_s: float) -> int:
    """How many cuts a span holds."""
    return sum(start_s + 1e-6 < cut < start_s + duration_s - 1e-6 for cut in cuts_s)
