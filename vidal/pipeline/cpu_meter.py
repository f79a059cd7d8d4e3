"""Measures the CPU seconds of a worker and of the processes that it has started, part by part."""

from __future__ import annotations

import contextlib
import resource
import threading
import time
from collections.abc import Iterator

import psutil


class CpuMeter:
    """Divides the CPU time of this process among the parts that it works on. Safe to share between threads.

    When a part ends, it is charged with the CPU time since another part ended, or since it began if no other part was at work then.
    So the sum over parts is right even if several are at work at once; the share of a single part is then only approximate.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._at_work = 0
        self._mark_s = 0.0

    @contextlib.contextmanager
    def part(self) -> Iterator[PartCpu]:
        """Surrounds the work on a part."""
        with self._lock:
            if not self._at_work:
                self._mark_s = _used_s()
            self._at_work += 1
        try:
            yield PartCpu(self)
        finally:
            with self._lock:
                self._at_work -= 1

    def take_s(self) -> float:
        """Returns the CPU seconds since the last call, or since the first part began. They are charged to the caller."""
        with self._lock:
            before_s, self._mark_s = self._mark_s, _used_s()
            return max(0.0, self._mark_s - before_s)


class PartCpu:
    """The CPU time of one part."""

    def __init__(self, meter: CpuMeter):
        self._meter = meter

    def used_s(self) -> float:
        """Returns the CPU seconds of the part. Called once, at its end."""
        return self._meter.take_s()


def _used_s() -> float:
    """Returns the CPU seconds of this process, of its children that have ended, and of those that have not."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    used_s = time.process_time() + ended.ru_utime + ended.ru_stime
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.Error):
            times = child.cpu_times()
            used_s += times.user + times.system + times.children_user + times.children_system
    return used_s


METER = CpuMeter()
