"""The records of an epoch that are still to be read, as positions in its shuffled order, which all processes share.

If a run is resumed with another number of processes, the remaining positions are divided among them anew, in the same order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vidal.train.training_samples import IntArray


@dataclass(frozen=True)
class Window:
    """The positions of an epoch from `start` on, except those in `done`, which were already consumed."""

    start: int = 0
    done: tuple[int, ...] = ()

    def positions(self, count: int) -> IntArray:
        """Returns the positions in the window, ascending. count: the number of records in the epoch."""
        every = np.arange(self.start, count)
        return every[~np.isin(every, self.done)] if self.done else every

    def of_process(self, count: int, rank: int, world: int) -> IntArray:
        """Returns the positions of one of `world` processes. All processes have equally many, if there are at least `world` positions."""
        every = self.positions(count)
        return every[rank::world][: max(1, len(every) // world)]

    def advanced(self, count: int, cursors: list[int]) -> Window:
        """Returns the window that remains when each process has consumed the first positions of its share. cursors: how many, by rank."""
        world = len(cursors)
        consumed = {
            int(position)
            for rank, cursor in enumerate(cursors)
            for position in self.of_process(count, rank, world)[:cursor]
        }
        left = np.setdiff1d(self.positions(count), np.fromiter(consumed, np.int64, len(consumed)))
        start = int(left[0]) if len(left) else count
        return Window(start, tuple(sorted(position for position in {*consumed, *self.done} if position > start)))
