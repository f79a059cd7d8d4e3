"""Counts what one candidate has cost so far: attempts, seconds of work and seconds of waiting. Each of these sums has a limit."""

from __future__ import annotations

import random
from dataclasses import dataclass

from vidal.errors import HostPaused, IdentityPaused, RecordError
from vidal.net.settings import Crawl
from vidal.schema import Reason

# If a host asks for a shorter pause than this, the failure counts as an attempt, as if the host had asked for none.
_NAMED_PAUSE_MIN_S = 1.0
# The most attempts for one candidate, however many pauses its host asks for.
_TRIES_MAX = 30


@dataclass
class Effort:
    """What one candidate has cost so far.

    may_be_put_back: whether the caller has other work to do. If so, PutBack is raised instead of sleeping through a pause.
    tries: the number of failed attempts. failures: the number of failed attempts that count towards crawl.attempts. pause_after says
    which attempts count. work_s: seconds of work. waited_s: seconds of waiting for hosts. is_hopeless: whether the host is paused for too
    long. If so, there is no other attempt. last_error: the last transient failure that was not a pause.
    """

    may_be_put_back: bool = False
    tries: int = 0
    failures: int = 0
    work_s: float = 0.0
    waited_s: float = 0.0
    is_hopeless: bool = False
    last_error: RecordError | None = None

    def pause_after(self, error: RecordError, crawl: Crawl) -> float | None:
        """Counts a failed attempt. Returns the seconds until the next attempt, or None if there must not be another.

        The attempt does not count towards crawl.attempts if it was rate-limited and the host asked for a pause of at least a second.
        """
        asked_s = error.retry_after_s or 0.0
        if isinstance(error, HostPaused):
            return None if self.is_hopeless else self.count_wait(asked_s, crawl)
        if isinstance(error, IdentityPaused):
            # Waits for the user's own budgets do not add up: a long list is worked off over many hours.
            return None if self.failures >= crawl.attempts or asked_s > crawl.patience_s else asked_s
        self.tries += 1
        if not error.transient or self.is_hopeless or error.reason is Reason.DAILY_BUDGET:
            return None
        self.last_error = error
        if error.reason is not Reason.RATE_LIMITED or asked_s < _NAMED_PAUSE_MIN_S:
            self.failures += 1
        is_spent = self.failures >= crawl.attempts or self.tries >= _TRIES_MAX or self.work_s >= crawl.timeout_s
        if is_spent or self.count_wait(asked_s, crawl) is None:
            return None
        return max(asked_s, self._backoff_s(crawl))

    def count_block(self, error: RecordError) -> None:
        """Counts a failed attempt in which a site blocked the identity (account or proxy of the user).

        The attempt counts towards crawl.attempts.
        """
        self.tries += 1
        self.failures += 1
        self.last_error = error

    def count_wait(self, wait_s: float, crawl: Crawl) -> float | None:
        """Adds a wait for a host to waited_s, and returns wait_s.

        If the sum would exceed crawl.patience_s, adds nothing and returns None.
        """
        if self.waited_s + wait_s > crawl.patience_s:
            return None
        self.waited_s += wait_s
        return wait_s

    def _backoff_s(self, crawl: Crawl) -> float:
        """Returns the seconds of a random pause. Its upper limit doubles with each failed attempt, up to crawl.backoff_max_s."""
        return random.uniform(0.0, min(crawl.backoff_max_s, crawl.backoff_s * 2.0 ** min(self.tries - 1, 30)))
