"""A few frames of a video at exact times: one walk through the file, seeking where that saves decoding."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image

from vidal.errors import RecordError
from vidal.media.probe import message, open_media, packet_times
from vidal.schema import Reason


def sample_indices(total: int, count: int, policy: str) -> list[int]:
    """Which of `total` frames to take. linspace: first to last, as VIDAL trains; paper: i * (total // count), as it generates.

    A clip with fewer frames than `count` repeats some.
    """
    if policy == "paper":
        return [min(i * (total // count), total - 1) for i in range(count)]
    return [int(index) for index in np.linspace(0, total - 1, count).round()]


def short_side_size(width: int, height: int, short_side: int) -> tuple[int, int]:
    """(width, height) with the aspect kept and the short side as asked, never enlarged; both at least 1."""
    scale = min(1.0, short_side / min(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def read_frames(path: Path, count: int, policy: str, short_side: int) -> tuple[list[float], list[Image.Image]]:
    """`count` RGB frames, upright and with square pixels, and their times in seconds from the first frame of the file.

    Raises RecordError(corrupt) where no picture decodes.
    """
    try:
        with open_media(path) as container:
            stream = container.streams.video[0]
            stream.thread_type = (
                "NONE"  # Frame threads would decode past what is wanted, and several clips run at once.
            )
            packets = packet_times(container, stream)
            if not packets:
                raise RecordError(Reason.CORRUPT, "no pictures in the file")
            times = [pts for pts, _, _ in packets]
            keys = [pts for pts, _, key in packets if key]
            wanted = [times[i] for i in sample_indices(len(times), count, policy)]
            frames = _walk(container, stream, wanted, keys)
            images = [_upright(frame, stream, short_side) for frame in frames]
            seconds = [round(float((frame.pts - times[0]) * stream.time_base), 6) for frame in frames]
    except av.error.FFmpegError as error:
        raise RecordError(Reason.CORRUPT, message(error)) from error
    return seconds, images


def _walk(container: Any, stream: Any, wanted: list[int], keys: list[int]) -> list[Any]:
    """The frame at or last before each wanted pts, in order."""
    found: list[Any] = []
    current: Any = None
    following: Any = None
    container.seek(wanted[0], stream=stream, backward=True)
    decoder = iter(container.decode(stream))
    for pts in wanted:
        key = max((k for k in keys if k <= pts), default=None)
        if key is not None and current is not None and key > (following or current).pts:
            container.seek(pts, stream=stream, backward=True)
            decoder, following = iter(container.decode(stream)), None
        while following is None or following.pts <= pts:
            if following is not None:
                current = following
            following = _next(decoder)
            if following is None:
                break
            if current is None:  # A file may begin with pictures that cannot be decoded: the first that can stands in.
                current = following
        if current is None:
            raise RecordError(Reason.CORRUPT, "no picture decodes")
        found.append(current)
        if following is None:
            following = current
    return found


def _next(decoder: Any) -> Any:
    for frame in decoder:
        if frame.pts is not None:
            return frame
    return None


def _upright(frame: Any, stream: Any, short_side: int) -> Image.Image:
    aspect = float(stream.sample_aspect_ratio or 1)
    width, height = short_side_size(max(1, round(frame.width * aspect)), frame.height, short_side)
    image = frame.to_image().resize((width, height), Image.Resampling.BICUBIC)
    # FFmpeg's rotation is counter-clockwise degrees to turn the stored picture by, as PIL's rotate is.
    return image.rotate(frame.rotation, expand=True) if frame.rotation else image
