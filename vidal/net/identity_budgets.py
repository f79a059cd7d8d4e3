"""Counts what the user's identities (accounts and proxies) use of their hourly budgets.

Also remembers how long an identity pauses after a website has blocked it. The rate limiter uses this module. Workers that share a
rate limiter therefore share the counts and pauses. A build stores both in a file, so that they survive a restart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from vidal.net.quota import Budget, Quota, QuotaFile

HOUR_S = 3600.0
# An hour slides in steps of a minute: a use counts for an hour, and up to a minute more.
_PERIODS = 60
Use = Literal["requests", "videos"]


@dataclass(frozen=True)
class IdentityRules:
    """The hourly budgets of one of the user's identities (accounts and proxies).

    file: stores how much of the budgets is used, and how long the identity pauses; None keeps both in memory.
    """

    name: str
    requests: Budget
    videos: Budget
    file: QuotaFile | None


def hourly_budget(limit: int | None, file: QuotaFile | None) -> Budget:
    return Budget(limit, HOUR_S / _PERIODS, _PERIODS + 1, file)


class IdentityBudgets:
    """Counts the requests and videos of each identity (an account or proxy of the user). Not safe to share between threads."""

    def __init__(self, quota: Quota | None = None) -> None:
        self._quota = quota or Quota()

    def take(self, rules: IdentityRules, use: Use) -> float:
        """Counts one use and returns 0.0. If the identity may not be used now, counts nothing and returns the seconds until it may be."""
        pause_s = self._quota.pause_left_s(rules.name, rules.file)
        return pause_s or self._quota.take(f"{rules.name} {use}", rules.requests if use == "requests" else rules.videos)

    def wait_s(self, rules: IdentityRules) -> float:
        """Returns the seconds until the identity may be used for another video; 0.0 if it may be used now."""
        return max(
            self._quota.pause_left_s(rules.name, rules.file),
            self._quota.wait_s(f"{rules.name} requests", rules.requests),
            self._quota.wait_s(f"{rules.name} videos", rules.videos),
        )

    def pause(self, rules: IdentityRules, pause_s: float) -> None:
        self._quota.pause(rules.name, pause_s, rules.file)
