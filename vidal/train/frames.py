"""Reads frames of video files as input arrays of towers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from vidal.media.arrays import UInt8Array
from vidal.media.frames import read_frames
from vidal.train.inputs import square_array

EXTENSIONS = frozenset({".mp4", ".avi", ".webm", ".mkv", ".mov", ".mpg", ".mpeg", ".m4v", ".flv", ".3gp", ".ogv"})


def views(path: Path, count: int, side: int, times: int, crops: int) -> UInt8Array:
    """Returns (times * crops, count, 3, side, side) uint8. Raises RecordError(corrupt).

    Each of the `times` samplings takes `count` frames evenly from the whole video, a little later than the previous sampling. The
    square crops are spaced evenly along the longer side; a single crop is taken from the centre.
    """
    _, pictures = read_frames(path, count=count * times, policy="linspace", short_side=side)
    clips = []
    for time in range(times):
        sampled = pictures[time::times] if times > 1 else pictures
        clips += [np.stack([_crop(picture, side, place) for picture in sampled]) for place in _places(crops)]
    return np.stack(clips)


def middle(path: Path, side: int) -> Image.Image:
    """Returns the frame in the middle of a video. Raises RecordError(corrupt)."""
    _, pictures = read_frames(path, count=3, policy="linspace", short_side=side)
    return pictures[1]


def _places(crops: int) -> list[float]:
    return [0.5] if crops == 1 else [k / (crops - 1) for k in range(crops)]


def _crop(picture: Image.Image, side: int, place: float) -> UInt8Array:
    """Returns a square crop of a picture, (3, side, side). place: its position along the longer side, 0..1."""
    short = min(picture.size)
    left, top = (round((length - short) * place) for length in picture.size)
    return square_array(picture.crop((left, top, left + short, top + short)), side)
