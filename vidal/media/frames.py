"""Reads a few frames of a video at exact times. Skips ahead to key frames where possible, instead of decoding the whole video."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from PIL import Image

from vidal.errors import RecordError
from vidal.media.container import PacketTime, TrackReader, ffmpeg_message, open_media, packet_times, video_track
from vidal.media.display import Display, fitted
from vidal.schema import Reason


def sample_indices(total: int, count: int, policy: str, firsts: Sequence[int] = ()) -> list[int]:
    """Returns the indices of `count` of `total` frames. A clip with fewer frames than `count` repeats some.

    policy: "linspace" goes evenly from the first to the last frame. "paper" takes the frames i * (total // count), as the script of
    VIDAL-10M does (Zhu et al. 2024). "scene" spreads the frames over the shots, which begin at 0 and at `firsts`.
    """
    if policy == "scene":
        return scene_indices(total, count, firsts)
    if policy == "paper":
        return [min(i * (total // count), total - 1) for i in range(count)]
    return [int(index) for index in np.linspace(0, total - 1, count).round()]


def scene_indices(total: int, count: int, firsts: Sequence[int]) -> list[int]:
    """Returns the indices of `count` of `total` frames, spread over the shots, so that no frame lies on a cut.

    A shot is divided into equal parts, and the middle frame of each part is taken. Longer shots have more parts (by the d'Hondt method).
    Every shot has at least one part, unless there are more than `count` shots: then only the `count` longest have one.
    firsts: the indices of the frames that begin a new shot.
    """
    bounds = [0, *(first for first in sorted(firsts) if 0 < first < total), total]
    shots = sorted(sorted(pairwise(bounds), key=lambda shot: shot[0] - shot[1])[:count])
    parts = [1] * len(shots)
    while sum(parts) < count:
        fullest = max(range(len(shots)), key=lambda i: (shots[i][1] - shots[i][0]) / (parts[i] + 1))
        parts[fullest] += 1
    return [
        int(start + (end - start) * (k + 0.5) / n)
        for (start, end), n in zip(shots, parts, strict=True)
        for k in range(n)
    ]


def read_frames(
    path: Path, count: int, policy: str, short_side: int, firsts: Sequence[int] = ()
) -> tuple[list[float], list[Image.Image]]:
    """Reads `count` frames of a video. Returns their times, in seconds from the first frame of the file, and the RGB pictures.

    A picture looks as in a player. If its shorter side has more than short_side pixels, it is scaled down to short_side. If the frames
    differ in size, all pictures get the size of the first, with black bars where the aspect differs.

    policy: how the frames are spread over the video: "linspace" (evenly), "paper" (as in the script of VIDAL-10M), or "scene" (over all
    shots). firsts: for "scene", the indices of the frames that begin a new shot. Raises RecordError(corrupt) if no picture decodes.
    """
    try:
        with open_media(path) as container:
            stream = video_track(container)
            if stream is None:
                raise RecordError(Reason.CORRUPT, "no pictures in the file")
            # Frame threads would decode more frames than are read, and several clips are decoded at once anyway.
            stream.thread_type = "NONE"
            packets = packet_times(container, stream)
            if not packets:
                raise RecordError(Reason.CORRUPT, "no pictures in the file")
            first_pts = packets[0][0]
            indices = sample_indices(len(packets), count, policy, firsts)
            frames = decode_frames(container, stream, packets, indices)
            display = Display(stream, short_side)
            images = [display.picture(frame) for frame in frames]
            images = [fitted(image, images[0].size) for image in images]
            return [round(float((frame.pts - first_pts) * stream.time_base), 6) for frame in frames], images
    except av.error.FFmpegError as error:
        raise RecordError(Reason.CORRUPT, ffmpeg_message(error)) from error


def decode_frames(container: InputContainer, stream: Any, packets: list[PacketTime], indices: list[int]) -> list[Any]:
    """Returns the frame of each index. A frame that does not decode is replaced by the next frame that does.

    If no later frame decodes, it is replaced by the last frame that did. Raises RecordError(corrupt) if no frame decodes.

    packets: the times of all packets of the stream, sorted. indices: places in `packets`, ascending.
    """
    targets = [packets[index][0] for index in indices]
    keys = [pts for pts, _, is_key in packets if is_key]
    frames: list[Any] = []
    walk = _Walk(container, stream)
    for pts in targets:
        key = max((k for k in keys if k <= pts), default=targets[0])
        if walk.current is None or key > walk.current.pts:
            walk.seek(key)
        frames.append(walk.advance(pts))
    return frames


class _Walk:
    """Decodes a stream to get its frames at ascending times. On the way to a frame, skips frames that no other frame depends on."""

    def __init__(self, container: InputContainer, stream: Any):
        self._container, self._stream = container, stream
        self._reader = TrackReader(container, stream)
        self._frames: Iterator[Any] = iter(())
        self._target = 0
        self.current: Any = None

    def seek(self, key: int) -> None:
        self._container.seek(key, stream=self._stream, backward=True)
        self._frames = self._decoded()

    def advance(self, pts: int) -> Any:
        """Returns the first frame at or after pts, or the last of the file. Raises RecordError(corrupt) if nothing decodes."""
        self._target = pts
        while self.current is None or self.current.pts < pts:
            following = next(self._frames, None)
            if following is None:
                break
            self.current = following
        if self.current is None:
            raise RecordError(Reason.CORRUPT, "no picture decodes")
        return self.current

    def _decoded(self) -> Iterator[Any]:
        context = self._stream.codec_context
        for packet in self._container.demux(self._stream):
            is_early = packet.pts is not None and packet.pts < self._target
            context.skip_frame = "NONREF" if is_early else "DEFAULT"
            yield from (frame for frame in self._reader.decode(packet) if frame.pts is not None)
