"""Divides what a worker process uses (CPU seconds, GPU seconds, bytes) among the parts that it works on."""

from __future__ import annotations

import contextlib
import resource
import threading
import time
from collections.abc import Callable, Iterator

import psutil


class Meter:
    """Divides an ever-growing total among parts. Safe to share between threads.

    A part that ends is charged with all that was used since the previous part ended, or since work began again after an idle time.
    So the sum over parts is right even if several are at work at once; the share of a single part is then only approximate.
    """

    def __init__(self, total: Callable[[], float]):
        """total: returns what has been used so far, in any unit."""
        self._total = total
        self._lock = threading.Lock()
        self._at_work = 0
        self._mark = 0.0

    @contextlib.contextmanager
    def part(self) -> Iterator[PartShare]:
        """A context for the work on a part. Yields a PartShare, whose `used` returns what the part has used."""
        with self._lock:
            if not self._at_work:
                self._mark = self._total()
            self._at_work += 1
        try:
            yield PartShare(self)
        finally:
            with self._lock:
                self._at_work -= 1

    def take(self) -> float:
        """Returns what has been used since the last call. What was used while no part was at work does not count."""
        with self._lock:
            before, self._mark = self._mark, self._total()
            return max(0.0, self._mark - before)


class PartShare:
    """What one part has used, such as CPU seconds, in the unit of its Meter."""

    def __init__(self, meter: Meter):
        self._meter = meter

    def used(self) -> float:
        """Returns what the part has used, in the unit of the meter. Call it once, when the work on the part ends."""
        return self._meter.take()


def cpu_seconds() -> float:
    """Returns the CPU seconds of this process and of its children, both running and ended."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    used_s = time.process_time() + ended.ru_utime + ended.ru_stime
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.Error):
            times = child.cpu_times()
            used_s += times.user + times.system + times.children_user + times.children_system
    return used_s


# The meter of this process, whichever stages the process runs.
CPU_METER = Meter(cpu_seconds)
