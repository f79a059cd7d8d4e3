"""Turns: a worker may process several parts at once, unless one of them has to be alone."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator


class Turns:
    """Lets at most `limit` parts be processed at a time. A part may ask to be alone; the others then wait until it has ended.

    A part is processed alone after it has crashed its worker, so that a second crash is not blamed on the records of other parts.
    """

    def __init__(self, limit: int):
        self._limit = limit
        self._at_work = 0
        self._alone: Turn | None = None
        self._wanting_to_be_alone = 0
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def take(self) -> Iterator[Turn]:
        """Waits until one more part may be processed. The part counts as being processed until the `with` block ends."""
        with self._changed:
            self._changed.wait_for(self._may_start)
            self._at_work += 1
        turn = Turn(self)
        try:
            yield turn
        finally:
            with self._changed:
                self._at_work -= 1
                if self._alone is turn:
                    self._alone = None
                self._changed.notify_all()

    def _may_start(self) -> bool:
        return self._at_work < self._limit and self._alone is None and not self._wanting_to_be_alone

    def make_alone(self, turn: Turn) -> None:
        with self._changed:
            self._wanting_to_be_alone += 1
            self._at_work -= 1
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._at_work == 0 and self._alone is None)
            self._wanting_to_be_alone -= 1
            self._at_work += 1
            self._alone = turn


class Turn:
    """The permission to process one part, as Turns.take yields it."""

    def __init__(self, turns: Turns):
        self._turns = turns

    def be_alone(self) -> None:
        """Waits until no other part is at work. No other part begins before this one has ended."""
        self._turns.make_alone(self)
