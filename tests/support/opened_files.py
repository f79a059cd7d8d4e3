"""Counts how often each file of a folder is opened by any program on this machine, with the kernel's inotify."""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

_IN_OPEN, _IN_ISDIR, _IN_Q_OVERFLOW = 0x20, 0x40000000, 0x4000
_HEADER = struct.Struct("iIII")


@contextlib.contextmanager
def opened_files(folder: Path) -> Iterator[Counter[str]]:
    """Yields a counter that holds, after the block, how often each file directly in the folder was opened, by name."""
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.inotify_init1(os.O_NONBLOCK)
    assert descriptor >= 0 and libc.inotify_add_watch(descriptor, str(folder).encode(), _IN_OPEN) >= 0
    counts: Counter[str] = Counter()
    try:
        yield counts
        with contextlib.suppress(BlockingIOError):
            while data := os.read(descriptor, 2**20):
                _count(data, counts)
    finally:
        os.close(descriptor)


def _count(data: bytes, counts: Counter[str]) -> None:
    place = 0
    while place < len(data):
        _, mask, _, length = _HEADER.unpack_from(data, place)
        assert not mask & _IN_Q_OVERFLOW, "more events than the kernel keeps"
        name = data[place + _HEADER.size : place + _HEADER.size + length].rstrip(b"\0").decode()
        place += _HEADER.size + length
        if name and not mask & _IN_ISDIR:
            counts[name] += 1
