"""The part of an epoch that is still to come, as positions in the order of its records. All processes share this order.

A run may be continued by another number of processes: the positions that are left are then dealt out again, in the same order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vidal.train.training_samples import IntArray


@dataclass(frozen=True)
class Window:
    """The positions from `start` on, without those in `done`, which were already consumed."""

    start: int = 0
    done: tuple[int, ...] = ()

    def positions(self, count: int) -> IntArray:
        """Returns the positions of an epoch of `count` records that are in the window, ascending."""
        every = np.arange(self.start, count)
        return every[~np.isin(every, self.done)] if self.done else every

    def of_process(self, count: int, rank: int, world: int) -> IntArray:
        """Returns the positions of one of `world` processes. All processes have equally many."""
        every = self.positions(count)
        return every[rank::world][: max(1, len(every) // world)]

    def advanced(self, count: int, cursors: list[int]) -> Window:
        """Returns the window after each process has consumed the first of its positions. cursors: how many each consumed, by rank."""
        world = len(cursors)
        consumed = {
            int(position)
            for rank, cursor in enumerate(cursors)
            for position in self.of_process(count, rank, world)[:cursor]
        }
        left = np.setdiff1d(self.positions(count), np.fromiter(consumed, np.int64, len(consumed)))
        start = int(left[0]) if len(left) else count
        return Window(start, tuple(sorted(position for position in {*consumed, *self.done} if position > start)))
