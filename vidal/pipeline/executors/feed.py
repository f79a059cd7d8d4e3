"""Finds the parts of the next shard while those of earlier shards are being processed."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Iterable
from typing import Any

from vidal.pipeline.stage import Part

_END = object()


class Feed:
    """Reads parts from an iterable in a thread of its own, which reads at most two parts ahead.

    is_empty: whether `take` has reached the end of the iterable.
    """

    def __init__(self, parts: Iterable[Part]):
        self._parts = parts
        self._queue: queue.Queue[Any] = queue.Queue(maxsize=1)
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self.is_empty = False

    def __enter__(self) -> Feed:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        while self._thread.is_alive():
            with contextlib.suppress(queue.Empty):
                self._queue.get(timeout=0.05)

    def take(self, may_wait: bool) -> Part | None:
        """Returns the next part, or None after the last one. Raises what the iterable has raised.

        may_wait: if false, None is also returned when the next part is not ready yet.
        """
        if self.is_empty:
            return None
        try:
            item = self._queue.get(block=may_wait)
        except queue.Empty:
            return None
        if isinstance(item, Part):
            return item
        self.is_empty = True
        if isinstance(item, BaseException):
            raise item
        return None

    def _read(self) -> None:
        try:
            for part in self._parts:
                self._queue.put(part)
                if self._is_over.is_set():
                    return
            self._queue.put(_END)
        except BaseException as error:  # noqa: BLE001 - raised again by `take`.
            self._queue.put(error)
