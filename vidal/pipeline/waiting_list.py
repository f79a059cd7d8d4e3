"""Processes records in threads. A record that has to wait is put back, and others are processed meanwhile."""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Generic, TypeVar

from vidal.errors import PutBack

RecordT = TypeVar("RecordT")
ResultT = TypeVar("ResultT")


def process_all(
    work: Callable[[RecordT], ResultT], records: Sequence[RecordT], threads: Executor | None, count: int
) -> list[ResultT]:
    """Returns the results of all records, in their order. work: may raise PutBack; any other exception ends the others and is raised.

    threads: where `count` threads process them; None processes them in this thread.
    """
    waiting_list = _WaitingList(work, records)
    if threads is None:
        waiting_list.run()
    else:
        for running in [threads.submit(waiting_list.run) for _ in range(min(count, len(records)))]:
            running.result()
    return [waiting_list.results[index] for index in range(len(records))]


class _WaitingList(Generic[RecordT, ResultT]):
    """The records that are not done: each with the time from which it may be taken up, in the order of their places."""

    def __init__(self, work: Callable[[RecordT], ResultT], records: Sequence[RecordT]):
        self._work, self._records = work, records
        self._waiting = [(0.0, index) for index in range(len(records))]
        self._running = 0
        self._has_failed = False
        self._changed = threading.Condition()
        self.results: dict[int, ResultT] = {}

    def run(self) -> None:
        """Processes records until none is left that might have to be taken up again."""
        while (index := self._take()) is not None:
            try:
                result = self._work(self._records[index])
            except PutBack as put_back:
                self._give_back((time.monotonic() + put_back.wait_s, index))
                continue
            except BaseException:
                self._has_failed = True
                self._give_back(None)
                raise
            self.results[index] = result
            self._give_back(None)

    def _take(self) -> int | None:
        """Waits for a record that may be taken up. Returns its place, or None if there is nothing more to do."""
        with self._changed:
            while not self._has_failed and (self._waiting or self._running):
                wait_s = self._waiting[0][0] - time.monotonic() if self._waiting else None
                if wait_s is not None and wait_s <= 0:
                    self._running += 1
                    return heapq.heappop(self._waiting)[1]
                self._changed.wait(wait_s)
            return None

    def _give_back(self, entry: tuple[float, int] | None) -> None:
        with self._changed:
            self._running -= 1
            if entry:
                heapq.heappush(self._waiting, entry)
            self._changed.notify_all()
