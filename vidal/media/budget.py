"""Limits how many packets and frames of a media file an operation reads and decodes.

Without limits, even a small file could cause any amount of work: it may announce millions of samples, or contain huge pictures.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass

from vidal.errors import RecordError
from vidal.media.settings import Limits
from vidal.schema import Reason


@dataclass
class _Spent:
    limits: Limits
    packets: int = 0
    frames: int = 0


_SPENT: ContextVar[_Spent | None] = ContextVar("spent", default=None)


@contextlib.contextmanager
def limited_to(limits: Limits) -> Iterator[None]:
    """Applies the limits to the packets and frames that this thread reads and decodes inside the block. Outside, nothing is counted."""
    token = _SPENT.set(_Spent(limits))
    try:
        yield
    finally:
        _SPENT.reset(token)


def spend_packet() -> None:
    """Counts a packet that was read. Raises RecordError(too_costly) if the operation has read more packets than its limit."""
    spent = _SPENT.get()
    if spent is None:
        return
    spent.packets += 1
    if spent.packets > spent.limits.packets:
        raise RecordError(
            Reason.TOO_COSTLY,
            f"the file has more than {spent.limits.packets} packets to read: raise decoding.packets_max",
        )


def spend_frame(width: int = 0, height: int = 0) -> None:
    """Counts a decoded frame, and checks its size in pixels. Raises RecordError beyond a limit: too_costly, too_many_pixels."""
    spent = _SPENT.get()
    if spent is None:
        return
    spent.frames += 1
    if spent.frames > spent.limits.frames:
        raise RecordError(
            Reason.TOO_COSTLY,
            f"the file has more than {spent.limits.frames} frames to decode: raise decoding.frames_max",
        )
    if spent.limits.pixels is not None and width * height > spent.limits.pixels:
        raise RecordError(
            Reason.TOO_MANY_PIXELS,
            f"a frame has {width}x{height} pixels, more than {spent.limits.pixels}: raise crawl.max_pixels",
        )
