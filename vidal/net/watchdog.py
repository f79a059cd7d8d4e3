"""The watchdog: a thread in each worker that closes the connections of any piece of work that exceeds its time budget."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

from vidal.net.address_guard import Connections
from vidal.net.work_budget import WorkBudget

_WAIT_MAX_S = 1.0  # Deadlines move while it waits, so it looks at them at least this often.
_WAIT_MIN_S = 0.05
_IDLE_ROUNDS_MAX = 10


class Watchdog:
    """Enforces the time budgets of all clients of a worker. Its thread ends some seconds after the last piece of work."""

    def __init__(self) -> None:
        self._watched: dict[WorkBudget, Connections] = {}
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._next_look_at = 0.0

    @contextlib.contextmanager
    def watch(self, budget: WorkBudget, connections: Connections) -> Iterator[None]:
        """Shuts the connections down if the budget's deadline passes within the context, so that no read waits any longer."""
        with self._changed:
            self._watched[budget] = connections
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)
                self._thread.start()
            elif budget.deadline < self._next_look_at:
                self._changed.notify()
        try:
            yield
        finally:
            with self._changed:  # From here on the connections belong to other work, and must not be closed.
                del self._watched[budget]

    def _run(self) -> None:
        idle_rounds = 0
        with self._changed:
            while idle_rounds < _IDLE_ROUNDS_MAX:
                idle_rounds = 0 if self._watched else idle_rounds + 1
                now = time.monotonic()
                self._shut_overdue(now)
                nearest = min((budget.deadline for budget in self._watched), default=now + _WAIT_MAX_S)
                wait_s = max(_WAIT_MIN_S, min(_WAIT_MAX_S, nearest - now))
                self._next_look_at = now + wait_s
                self._changed.wait(wait_s)
            self._thread = None

    def _shut_overdue(self, now: float) -> None:
        for budget, connections in self._watched.items():
            if now > budget.deadline:
                budget.is_over = True
                connections.shut()
