"""Reads frames of video files as input arrays of towers. The frames are chosen and cropped as in LanguageBind's code."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image

from vidal.errors import RecordError
from vidal.media.arrays import UInt8Array
from vidal.media.container import ffmpeg_message, open_media, packet_times, video_track
from vidal.media.display import Display
from vidal.media.frames import decode_frames
from vidal.schema import Reason
from vidal.train.inputs import square_array

EXTENSIONS = frozenset({".mp4", ".avi", ".webm", ".mkv", ".mov", ".mpg", ".mpeg", ".m4v", ".flv", ".3gp", ".ogv"})
# From each stretch of a video that `views` reads, every STRIDE-th frame is used.
STRIDE = 8


@dataclass(frozen=True)
class Excerpt:
    """A video file, or only its beginning.

    Frames are sampled evenly, from the first frame of the file to the frame with which the last second of the excerpt begins. In an
    excerpt of 10 seconds, the last sampled frame is at about 9 seconds. LanguageBind's retrieval benchmarks sample frames in this way.
    A MediaReader may choose other frames.

    end_s: the end of the excerpt, in seconds; None for the end of the file.
    """

    path: Path
    end_s: int | None = None


def clip(source: Path | Excerpt, count: int, side: int) -> UInt8Array:
    """Returns `count` frames, cropped in the centre, (count, 3, side, side) uint8.

    The returned frames are evenly spread. The first one is the first frame of the file. If `source` is a path, the last one is the last
    frame of the file. If `source` is an Excerpt, the last one is the frame with which the last second of the excerpt begins.

    Raises RecordError(corrupt) if the frames cannot be decoded.
    """
    if isinstance(source, Excerpt):
        frames = _read(source.path, lambda total, fps: second_indices(total, fps, count, source.end_s))
    else:
        frames = _read(source, lambda total, _: even_indices(total, count))
    return np.stack([square_array(frame, side) for frame in frames])


def chosen(source: Path | Excerpt, choose: Callable[[int, float, Excerpt | None], list[int]]) -> list[Image.Image]:
    """Returns the frames whose indices `choose` returns, in full size. They are in the order in which `choose` lists them.

    choose: a function of (number of frames, frames per second, the source if it is an Excerpt, else None). Raises RecordError(corrupt)
    if the frames cannot be decoded.
    """
    path, excerpt = (source.path, source) if isinstance(source, Excerpt) else (source, None)
    wanted: list[int] = []

    def ascending(total: int, fps: float) -> list[int]:
        wanted.extend(choose(total, fps, excerpt))
        return sorted(set(wanted))

    decoded = _read(path, ascending)
    by_index = dict(zip(sorted(set(wanted)), decoded, strict=True))
    return [by_index[index] for index in wanted]


def views(path: Path, count: int, side: int, times: int, crops: int) -> UInt8Array:
    """Returns the views of a video, (times * crops, count, 3, side, side) uint8. A view is one crop of one stretch of the video.

    `times` stretches are spread over the video; each has `count` frames, STRIDE frames apart. Each stretch is cropped to `crops` squares,
    which are spread along the longer side. Kinetics is evaluated in this way (Tong et al. 2022; Zhu et al. 2024).
    Raises RecordError(corrupt) if the video cannot be decoded.
    """
    chosen: list[list[int]] = []

    def choose(total: int, _: float) -> list[int]:
        chosen.extend(view_indices(total, count, times))
        return sorted({index for indices in chosen for index in indices})

    frames = _read(path, choose)
    order = sorted({index for indices in chosen for index in indices})
    scaled = {index: _scaled(frame, side) for index, frame in zip(order, frames, strict=True)}
    return np.stack(
        [
            np.stack([_crop(scaled[index], side, place) for index in indices])
            for indices in chosen
            for place in _places(crops)
        ]
    )


def middle(path: Path) -> Image.Image:
    """Returns the frame in the middle of a video, in full size. Raises RecordError(corrupt) if it cannot be decoded."""
    return _read(path, lambda total, _: [(total - 1) // 2])[0]


def has_sound(path: Path) -> bool:
    """Returns whether a media file has a sound track. False for a file that cannot be opened."""
    try:
        with open_media(path) as container:
            return bool(container.streams.audio)
    except av.error.FFmpegError:
        return False


def even_indices(total: int, count: int) -> list[int]:
    """Returns the indices of `count` of `total` frames, spread evenly from the first to the last, rounded down."""
    return [int(index) for index in np.linspace(0, total - 1, count, dtype=int)]


def second_indices(total: int, fps: float, count: int, end_s: int | None) -> list[int]:
    """Returns the indices of `count` frames. They are spread evenly from frame 0 to the first frame of the last second.

    total: the number of frames of the video. fps: the frames per second of the video. A second is counted as int(fps) frames, or as one
    frame if fps is below 1. end_s: only the first end_s seconds of the video are used; None uses the whole video.
    """
    rate = max(1, int(fps))
    seconds = math.ceil(total / rate)
    last = (min(seconds, end_s or seconds) - 1) * rate
    return [int(index) for index in np.linspace(0, last, count, dtype=int)]


def view_indices(total: int, count: int, times: int) -> list[list[int]]:
    """Returns, for each of `times` stretches of a video, the indices of `count` frames that are STRIDE frames apart.

    total: the number of frames of the video. The stretches are spread from its beginning to its end. If the video is shorter than a
    stretch, the last index repeats.
    """
    strided = list(range(0, total, STRIDE))
    strided += [strided[-1]] * (count - len(strided))
    step = (len(strided) - count) / max(1, times - 1)
    starts = [int(view * step) for view in range(times)]
    return [strided[start : start + count] for start in starts]


def _read(path: Path, choose: Callable[[int, float], list[int]]) -> list[Image.Image]:
    """Returns the frames whose indices `choose` returns, in full size.

    choose: a function of (number of frames, frames per second) that returns ascending indices. Raises RecordError(corrupt) if the file
    has no video or cannot be decoded.
    """
    try:
        with open_media(path) as container:
            stream: Any = video_track(container)
            if stream is None:
                raise RecordError(Reason.CORRUPT, f"{path.name}: no pictures in the file")
            stream.thread_type = "NONE"
            packets = packet_times(container, stream)
            if not packets:
                raise RecordError(Reason.CORRUPT, f"{path.name}: no pictures in the file")
            indices = choose(len(packets), float(stream.average_rate or 0))
            frames = decode_frames(container, stream, packets, indices)
            display = Display(stream)
            return [display.picture(frame) for frame in frames]
    except av.error.FFmpegError as error:
        raise RecordError(Reason.CORRUPT, ffmpeg_message(error)) from error


def _places(crops: int) -> list[float]:
    return [0.5] if crops == 1 else [k / (crops - 1) for k in range(crops)]


def _scaled(frame: Image.Image, side: int) -> UInt8Array:
    """Returns the frame as (h, w, 3) uint8, scaled with OpenCV's bilinear interpolation so that its shorter side is `side`."""
    import cv2

    width, height = frame.size
    short = min(frame.size)
    size = (int(side * width / short), int(side * height / short))
    return np.asarray(cv2.resize(np.asarray(frame.convert("RGB")), size, interpolation=cv2.INTER_LINEAR), np.uint8)


def _crop(picture: UInt8Array, side: int, place: float) -> UInt8Array:
    """Returns a square crop, (3, side, side). picture: (h, w, 3). place: the position of the crop along the longer side, 0..1."""
    top, left = (int((length - side) * place) for length in picture.shape[:2])
    return np.ascontiguousarray(picture[top : top + side, left : left + side].transpose(2, 0, 1))
