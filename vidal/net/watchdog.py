"""The watchdog: one thread of a worker ends what takes longer than its budget, by shutting its connections."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

from vidal.net.address_guard import Connections
from vidal.net.budget import Budget

_LONGEST_S = 1.0  # Budgets grow while it waits: it looks again at least so often.
_SHORTEST_S = 0.05
_IDLE_ROUNDS = 10


class Watchdog:
    """Shared by the clients of a worker. Its thread starts with the first budget, and ends when none has come for a while."""

    def __init__(self) -> None:
        self._watched: dict[Budget, Connections] = {}
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._looks_at = 0.0

    @contextlib.contextmanager
    def watching(self, budget: Budget, connections: Connections) -> Iterator[None]:
        """Beyond the deadline of the budget the connections are shut, so that no read waits on."""
        with self._changed:
            self._watched[budget] = connections
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
                self._thread.start()
            elif budget.deadline < self._looks_at:
                self._changed.notify()
        try:
            yield
        finally:
            with self._changed:  # From here on nothing is shut: the connections are free for other work.
                del self._watched[budget]

    def _watch(self) -> None:
        idle = 0
        with self._changed:
            while idle < _IDLE_ROUNDS:
                idle = 0 if self._watched else idle + 1
                now = time.monotonic()
                for budget, connections in self._watched.items():
                    if now > budget.deadline:
                        budget.is_over = True
                        connections.shut()
                nearest = min((budget.deadline for budget in self._watched), default=now + _LONGEST_S)
                wait_s = max(_SHORTEST_S, min(_LONGEST_S, nearest - now))
                self._looks_at = now + wait_s
                self._changed.wait(wait_s)
            self._thread = None
