"""Media files of a few kilobytes that ask for gigabytes or hours."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from tests.conftest import write_video

_FRAME_NUMBERS = 16  # x264 numbers frames modulo 16, so a run of so many P frames may follow itself.
_PARENTS = {b"moov", b"trak", b"mdia", b"minf", b"stbl"}


def endless_8k(path: Path, frames: int = 2500, fps: int = 25) -> Path:
    """Writes a video of black 8K frames, each but the first of about 30 bytes: each says that nothing has changed."""
    black = av.VideoFrame.from_ndarray(np.zeros((4320 * 3 // 2, 7680), np.uint8), format="yuv420p")
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps, options={"preset": "ultrafast", "bf": "0", "g": "999"})
        stream.width, stream.height, stream.pix_fmt = 7680, 4320, "yuv420p"
        stream.codec_context.thread_count = 1
        encoded = [packet for _ in range(1 + _FRAME_NUMBERS) for packet in stream.encode(black)]
        encoded += list(stream.encode(None))
        data = [bytes(packet) for packet in encoded]
        for index in range(frames):
            packet = av.Packet(data[0] if index == 0 else data[1 + (index - 1) % _FRAME_NUMBERS])
            packet.stream, packet.time_base = stream, Fraction(1, fps)
            packet.pts = packet.dts = index
            packet.is_keyframe = index == 0
            container.mux(packet)
    return path


def endless_samples(path: Path, count: int = 40_000_000) -> Path:
    """Writes a video whose tables claim so many samples of one byte in a single chunk."""
    source = write_video(path.with_suffix(".source.mp4"), frames=2)
    tables = {
        b"stsz": struct.pack(">III", 0, 1, count),
        b"stts": struct.pack(">IIII", 0, 1, count, 1),
        b"stsc": struct.pack(">IIIII", 0, 1, 1, count, 1),
        b"ctts": struct.pack(">II", 0, 0),
        b"stss": struct.pack(">III", 0, 1, 1),
    }
    path.write_bytes(_with_tables(source.read_bytes(), tables))
    return path


def _with_tables(data: bytes, tables: dict[bytes, bytes]) -> bytes:
    """Returns a file, or the content of a box, with other content in some boxes."""
    boxes, at = [], 0
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at : at + 8])
        content = data[at + 8 : at + size]
        content = tables.get(kind, _with_tables(content, tables) if kind in _PARENTS else content)
        boxes.append(struct.pack(">I4s", 8 + len(content), kind) + content)
        at += size
    return b"".join(boxes)
