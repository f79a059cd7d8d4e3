"""Processes records in threads, from one queue for all parts of a worker. A record that has to wait is put back, and others go on."""

from __future__ import annotations

import contextvars
import heapq
import itertools
import threading
import time
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from vidal.errors import PutBack

RecordT = TypeVar("RecordT")
ResultT = TypeVar("ResultT")


class WorkQueue:
    """Threads that process the records of several parts. The parts are served in the order in which they arrived.

    A slow record holds one thread; the others take up records of the next part. Safe to use from several threads.
    """

    def __init__(self, threads: int, name: str):
        self._waiting: list[tuple[float, int, _Task]] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._is_closed = False
        self._threads = [threading.Thread(target=self._run, name=f"{name}-{i}", daemon=True) for i in range(threads)]
        for thread in self._threads:
            thread.start()

    def process_all(self, work: Callable[[RecordT], ResultT], records: Sequence[RecordT]) -> list[ResultT]:
        """Returns the results of all records, in their order.

        work: runs in the caller's context (contextvars). If it raises PutBack, it is called again with the same record after
        PutBack.wait_s seconds. Any other exception ends the work on these records, and is raised here.
        """
        batch = _Batch(work, records)
        for task in batch.tasks:
            self._put(0.0, task)
        return batch.wait()

    def close(self) -> None:
        """Ends the threads after the records that they are processing."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _put(self, ready_at: float, task: _Task) -> None:
        with self._changed:
            heapq.heappush(self._waiting, (ready_at, next(self._order), task))
            self._changed.notify()

    def _run(self) -> None:
        while (task := self._take()) is not None:
            if (wait_s := task.run()) is not None:
                self._put(time.monotonic() + wait_s, task)
            del task  # Else the records and results of a finished part are kept until the next task arrives.

    def _take(self) -> _Task | None:
        """Waits for a record that is due, and returns its task. Returns None once the queue is closed."""
        with self._changed:
            while not self._is_closed:
                wait_s = self._waiting[0][0] - time.monotonic() if self._waiting else None
                if wait_s is not None and wait_s <= 0:
                    return heapq.heappop(self._waiting)[2]
                self._changed.wait(wait_s)
            return None


def process_in_turn(work: Callable[[RecordT], ResultT], records: Sequence[RecordT]) -> list[ResultT]:
    """Processes records as a WorkQueue does, but in this thread, one record at a time."""
    batch = _Batch(work, records)
    waiting = [(0.0, index) for index in range(len(records))]
    while waiting and not batch.has_failed:
        ready_at, index = heapq.heappop(waiting)
        time.sleep(max(0.0, ready_at - time.monotonic()))
        if (wait_s := batch.tasks[index].run()) is not None:
            heapq.heappush(waiting, (time.monotonic() + wait_s, index))
    return batch.wait()


class _Batch(Generic[RecordT, ResultT]):
    """The records of one call of process_all or process_in_turn, and their results."""

    def __init__(self, work: Callable[[RecordT], ResultT], records: Sequence[RecordT]):
        self._work, self._records = work, records
        self._results: dict[int, ResultT] = {}
        self._error: BaseException | None = None
        self._running, self._unfinished = 0, len(records)
        self._changed = threading.Condition()
        # A context may be entered by one thread at a time, so each record has its own.
        self.tasks = [_Task(self.process, index, contextvars.copy_context()) for index in range(len(records))]

    @property
    def has_failed(self) -> bool:
        return self._error is not None

    def process(self, index: int) -> float | None:
        """Processes a record. Returns None if it is done, else how many seconds to wait before it is processed again."""
        if not self._begin():
            return None
        wait_s = None
        try:
            self._results[index] = self._work(self._records[index])
        except PutBack as put_back:
            wait_s = put_back.wait_s
        except BaseException as error:  # noqa: BLE001 - raised again by `wait`, in the thread that the records came from.
            self._error = error
        self._end(is_done=wait_s is None)
        return wait_s

    def wait(self) -> list[ResultT]:
        """Waits until all records are done, and returns their results.

        If a record fails, no more records are started. When the records that are being processed are done, `wait` raises the error.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._unfinished == 0 or (self.has_failed and self._running == 0))
        if self._error:
            raise self._error
        return [self._results[index] for index in range(len(self._records))]

    def _begin(self) -> bool:
        with self._changed:
            may_start = not self.has_failed  # Read once: another thread may set the error meanwhile.
            self._running += may_start
            return may_start

    def _end(self, is_done: bool) -> None:
        with self._changed:
            self._running -= 1
            self._unfinished -= is_done
            self._changed.notify_all()


class _Task:
    """One record of a batch, with the context (log fields, the part's store of media) in which it is processed."""

    def __init__(self, process: Callable[[int], float | None], index: int, context: contextvars.Context):
        self._process, self._index, self._context = process, index, context

    def run(self) -> float | None:
        return self._context.run(self._process, self._index)
