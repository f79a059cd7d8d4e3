"""A set of ids that takes 8 bytes per id, for lists of millions."""

from __future__ import annotations

import numpy as np

_RECENT_MAX = 2**16


class KnownIds:
    """Holds the last 62 random bits of each UUID. Among ten million, the chance that any two are confused is 1 in 92,000."""

    def __init__(self) -> None:
        self._recent: set[int] = set()
        self._sorted = np.zeros(0, np.uint64)

    def add(self, id_: str) -> bool:
        """Adds an id. Returns whether it is new."""
        value = int(id_[-17:].replace("-", ""), 16)
        place = int(np.searchsorted(self._sorted, np.uint64(value)))
        if value in self._recent or (place < len(self._sorted) and int(self._sorted[place]) == value):
            return False
        self._recent.add(value)
        if len(self._recent) >= _RECENT_MAX:
            self._sorted = np.union1d(self._sorted, np.fromiter(self._recent, np.uint64, len(self._recent)))
            self._recent.clear()
        return True
