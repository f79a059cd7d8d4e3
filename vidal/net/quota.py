"""Counts what is used of a budget, such as the requests of a day. The count is stored, so that it does not start at zero after a restart.

To avoid a write for every use, several uses are reserved with one write. The stored count can therefore be too high, by up to 1 % of the
budget, but it is never too low, even if the process is killed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypedDict

from vidal.storage.storage import Storage

DAY_S = 86_400.0
# The share of a budget that is reserved at once.
_RESERVED = 0.01
# The uses of one name, by the number of the period since 1970 in which they were counted.
Periods = dict[int, int]


@dataclass(frozen=True)
class QuotaFile:
    """A file that stores counts. uri: the folder that contains it. name: its name there.

    All budgets of a file have periods of the same length.
    """

    uri: str
    name: str


@dataclass(frozen=True)
class Budget:
    """Allows at most `limit` uses within the last `periods` periods, including the current period. limit: None means no limit.

    Each period lasts period_s seconds. A use counts for at least (periods - 1) * period_s seconds and at most periods * period_s
    seconds. If `periods` is 1 and the period is a day, the count starts anew at midnight (UTC).

    file: stores the count; None keeps it in memory.
    """

    limit: int | None
    period_s: float = DAY_S
    periods: int = 1
    file: QuotaFile | None = None


class _Stored(TypedDict):
    """The content of a QuotaFile. The keys of both fields are the names whose uses are counted, such as hosts.

    uses: for each name, the counts by the number of the period. pauses: for each name, the time.time() at which its pause ends.
    """

    uses: dict[str, dict[str, int]]
    pauses: dict[str, float]


@dataclass
class _Counts:
    uses: dict[str, Periods] = field(default_factory=dict)
    reserved: dict[str, Periods] = field(default_factory=dict)
    pauses: dict[str, float] = field(default_factory=dict)


class Quota:
    """Counts uses, such as requests, under a name, such as a host. Each name has a budget of its own, and may be paused.

    If a budget has no file, its counts are kept only in memory. Not safe to share between threads.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._counts: dict[QuotaFile | None, _Counts] = {}

    def take(self, name: str, budget: Budget) -> float:
        """Counts one use and returns 0.0. If the budget is spent, counts nothing and returns the seconds until another use is allowed."""
        if wait_s := self.wait_s(name, budget):
            return wait_s
        if budget.limit is None:
            return 0.0
        counts, period = self._counts_of(budget.file), self._period(budget)
        uses = counts.uses[name] = _current(counts.uses.get(name, {}), period, budget)
        uses[period] = uses.get(period, 0) + 1
        reserved = counts.reserved.setdefault(name, {})
        if budget.file and uses[period] > reserved.get(period, 0):
            spare = budget.limit - sum(uses.values())
            reserved[period] = uses[period] + min(spare, int(budget.limit * _RESERVED))
            counts.reserved = {each: _current(periods, period, budget) for each, periods in counts.reserved.items()}
            self._save(budget.file, counts)
        return 0.0

    def wait_s(self, name: str, budget: Budget) -> float:
        """Returns the seconds until the budget allows another use; 0.0 if it allows one now."""
        if budget.limit is None:
            return 0.0
        period = self._period(budget)
        uses = _current(self._counts_of(budget.file).uses.get(name, {}), period, budget)
        excess = sum(uses.values()) - budget.limit
        for each in sorted(uses):
            if excess < 0:
                break
            excess -= uses[each]
            if excess < 0:
                return (each + budget.periods) * budget.period_s - self._clock()
        return 0.0

    def pause(self, name: str, pause_s: float, file: QuotaFile | None) -> None:
        """Allows no use under this name for pause_s seconds. With a file, the pause survives a restart."""
        counts, now = self._counts_of(file), self._clock()
        counts.pauses = {each: until for each, until in counts.pauses.items() if until > now}
        counts.pauses[name] = max(counts.pauses.get(name, 0.0), now + pause_s)
        if file:
            self._save(file, counts)

    def pause_left_s(self, name: str, file: QuotaFile | None) -> float:
        """Returns the seconds until the pause of a name ends; 0.0 if it has none."""
        return max(0.0, self._counts_of(file).pauses.get(name, 0.0) - self._clock())

    def _period(self, budget: Budget) -> int:
        return int(self._clock() // budget.period_s)

    def _counts_of(self, file: QuotaFile | None) -> _Counts:
        if file not in self._counts:
            self._counts[file] = _load(file) if file else _Counts()
        return self._counts[file]

    def _save(self, file: QuotaFile, counts: _Counts) -> None:
        uses = {
            name: {str(period): count for period, count in periods.items()}
            for name, periods in counts.reserved.items()
            if periods
        }
        stored: _Stored = {"uses": uses, "pauses": counts.pauses}
        Storage(file.uri).write(file.name, json.dumps(stored, sort_keys=True).encode())


def _current(uses: Periods, period: int, budget: Budget) -> Periods:
    return {each: count for each, count in uses.items() if each > period - budget.periods}


def _load(file: QuotaFile) -> _Counts:
    saved = Storage(file.uri).read_if_present(file.name)
    stored: _Stored = json.loads(saved) if saved else {"uses": {}, "pauses": {}}
    if "uses" not in stored:  # An earlier version wrote the file, for a day that is soon over.
        return _Counts()
    uses = {name: {int(period): count for period, count in periods.items()} for name, periods in stored["uses"].items()}
    return _Counts(uses, {name: dict(periods) for name, periods in uses.items()}, dict(stored["pauses"]))
