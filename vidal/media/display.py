"""Turns a decoded frame into the picture that a player shows: square pixels, upright, deinterlaced, in sRGB."""

from __future__ import annotations

from typing import Any

import av
from av.video.reformatter import VideoReformatter
from PIL import Image

from vidal.media import dynamic_range
from vidal.media.orientation import Orientation, orientation_of


def displayed_size(width: int, height: int, stream: Any, orientation: Orientation) -> tuple[int, int]:
    """Returns (width, height) in pixels, with the sample aspect and the orientation applied. stream: a video stream of PyAV."""
    width = _square_width(width, stream)
    return (height, width) if orientation.swaps_sides else (width, height)


class Display:
    """Turns the frames of a video into RGB pictures as a player shows them.

    short_side: frames whose shorter side is longer than this, in pixels, are scaled down to it; None keeps the size of all frames.
    """

    def __init__(self, stream: Any, short_side: int | None = None):
        self._stream, self._short_side = stream, short_side
        # For all frames: setting up a conversion costs more than converting a small frame.
        self._reformatter = VideoReformatter()

    def picture(self, frame: Any) -> Image.Image:
        size = _square_width(frame.width, self._stream), frame.height
        width, height = size if self._short_side is None else short_side_size(*size, self._short_side)
        orientation = orientation_of(frame)
        if frame.interlaced_frame:
            frame = _one_field(frame)
        if dynamic_range.is_high(frame):
            pixels = dynamic_range.to_srgb(frame, self._scaled(frame, width, height, "rgb48le"))
        else:
            pixels = self._scaled(frame, width, height, "rgb24")
        return orientation.apply(Image.fromarray(pixels))

    def _scaled(self, frame: Any, width: int, height: int, format_: str) -> Any:
        # Converts and scales in one step: an RGB copy in HD would cost more than decoding.
        return self._reformatter.reformat(frame, width, height, format_, interpolation="BICUBIC").to_ndarray()


def short_side_size(width: int, height: int, short_side: int) -> tuple[int, int]:
    """Returns (width, height), each at least 1, with the same aspect and this short side, but never larger than the original."""
    scale = min(1.0, short_side / min(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def fitted(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Returns the picture at this size, scaled to fit without distortion, with black bars where its aspect differs."""
    if image.size == size:
        return image
    scale = min(size[0] / image.width, size[1] / image.height)
    inner = image.resize(
        (max(1, round(image.width * scale)), max(1, round(image.height * scale))), Image.Resampling.BICUBIC
    )
    framed = Image.new("RGB", size)
    framed.paste(inner, ((size[0] - inner.width) // 2, (size[1] - inner.height) // 2))
    return framed


def _square_width(width: int, stream: Any) -> int:
    return max(1, round(width * (stream.sample_aspect_ratio or 1)))


def _one_field(frame: Any) -> Any:
    """Returns one field of an interlaced frame: every second line, all from one moment. It has half the frame's height."""
    graph = av.filter.Graph()
    source = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base)
    graph.link_nodes(source, graph.add("field", "top"), graph.add("buffersink")).configure()
    graph.push(frame)
    return graph.pull()
