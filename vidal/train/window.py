"""The records of an epoch that are still to be read, as positions in the epoch's shuffled order, which is the same in all processes.

If a run is resumed with another number of processes, the remaining positions are divided among the new processes, in the same order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vidal.train.training_samples import IntArray


@dataclass(frozen=True)
class Window:
    """The positions of an epoch from `start` on, except the positions in `done`, which were already consumed."""

    start: int = 0
    done: tuple[int, ...] = ()

    def positions(self, count: int) -> IntArray:
        """Returns the positions in the window, ascending. count: the number of records in the epoch."""
        every = np.arange(self.start, count)
        return every[~np.isin(every, self.done)] if self.done else every

    def of_process(self, count: int, rank: int, world: int) -> IntArray:
        """Returns the positions of the process `rank` of `world` processes. count: the number of records in the epoch.

        All processes get the same number of positions; a remainder goes to no process. But if the window has fewer positions than there
        are processes, the first processes get one each, and the others get none.
        """
        every = self.positions(count)
        return every[rank::world][: max(1, len(every) // world)]

    def advanced(self, count: int, cursors: list[int]) -> Window:
        """Returns the window without the positions that the processes have consumed.

        count: the number of records in the epoch. cursors: for each process, by rank, how many of its positions (see of_process) it has
        consumed. A process consumes its positions in ascending order.
        """
        world = len(cursors)
        consumed = {
            int(position)
            for rank, cursor in enumerate(cursors)
            for position in self.of_process(count, rank, world)[:cursor]
        }
        left = np.setdiff1d(self.positions(count), np.fromiter(consumed, np.int64, len(consumed)))
        start = int(left[0]) if len(left) else count
        return Window(start, tuple(sorted(position for position in {*consumed, *self.done} if position > start)))
