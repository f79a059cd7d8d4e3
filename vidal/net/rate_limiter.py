"""The board: which host was asked when, by the whole cluster. It decides who may ask next; it never asks itself."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Protocol

from vidal.storage.storage import Storage

# How often one that waits for a slot or for another's trial asks again.
_AGAIN_S = 0.2
_SAVED_EVERY_S = 2.0


@dataclass(frozen=True)
class Rules:
    """What a host may be asked. account: where its requests of the day are counted (a storage URI and a name)."""

    requests_per_s: float
    burst: int
    concurrency: int
    lease_s: float
    breaker_failures: int
    breaker_pause_s: float
    patience_s: float
    daily_requests: int | None = None
    account: tuple[str, str] | None = None


@dataclass(frozen=True)
class Answer:
    """go: after wait_s the request may be sent; else ask again then.

    why: busy (its slots are taken), paused (it asked for it), open (it fails, or its pause has become too long: do not wait),
    or spent (for the day).
    """

    go: bool
    wait_s: float
    why: str = ""


class Board(Protocol):
    """A LocalBoard, or one that all workers of a cluster share."""

    def ask(self, host: str, lease: str, rules: Rules) -> Answer: ...
    def renew(self, leases: list[tuple[str, str]], lease_s: float) -> None: ...
    def release(self, host: str, lease: str) -> None: ...
    def worked(self, host: str) -> None: ...
    def failed(self, host: str, rules: Rules, pause_s: float | None) -> bool: ...


@dataclass
class _Host:
    tokens: float
    filled_at: float
    leases: dict[str, float] = field(default_factory=dict)
    failures: int = 0
    tripped_at: float | None = None
    asked_for: bool = False
    open_until: float = 0.0
    trial: str | None = None
    trial_until: float = 0.0


class LocalBoard:
    """A token bucket, slots, and a circuit breaker for every host. Not safe to share between threads without a lock."""

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock = clock
        self._hosts: dict[str, _Host] = {}
        self._spent = _Spent(clock)

    def ask(self, host: str, lease: str, rules: Rules) -> Answer:
        """lease: names the work that asks; it holds one of the host's slots until it is released, or not renewed for lease_s."""
        now, state = self._clock(), self._of(host, rules)
        if now < state.open_until:
            return Answer(False, state.open_until - now, _why(state, rules))
        if state.tripped_at is not None and state.trial not in (None, lease) and now < state.trial_until:
            return Answer(False, _AGAIN_S, "paused")
        state.leases = {name: until for name, until in state.leases.items() if until > now}
        if lease not in state.leases and len(state.leases) >= rules.concurrency:
            return Answer(False, _AGAIN_S, "busy")
        if rules.daily_requests is not None and not self._spent.take(host, rules):
            return Answer(False, self._spent.until_tomorrow_s(), "spent")
        if state.tripped_at is not None:
            state.trial, state.trial_until = lease, now + rules.lease_s
        state.tokens = min(rules.burst, state.tokens + (now - state.filled_at) * rules.requests_per_s) - 1
        state.filled_at = now
        wait_s = max(0.0, -state.tokens / rules.requests_per_s)
        state.leases[lease] = now + wait_s + rules.lease_s
        return Answer(True, wait_s)

    def renew(self, leases: list[tuple[str, str]], lease_s: float) -> None:
        """leases: (host, lease) of work that goes on. A worker that dies renews nothing, and its slots fall free."""
        until = self._clock() + lease_s
        for host, lease in leases:
            state = self._hosts.get(host)
            if state is None or lease not in state.leases:
                continue
            state.leases[lease] = max(state.leases[lease], until)
            if state.trial == lease:
                state.trial_until = max(state.trial_until, until)

    def release(self, host: str, lease: str) -> None:
        if state := self._hosts.get(host):
            state.leases.pop(lease, None)
            if state.trial == lease:
                state.trial = None

    def worked(self, host: str) -> None:
        if state := self._hosts.get(host):
            state.failures, state.tripped_at, state.trial = 0, None, None

    def failed(self, host: str, rules: Rules, pause_s: float | None) -> bool:
        """pause_s: for how long the host wants to be left alone; None where it only failed.

        Gives whether it is worth waiting for: not where it has been unwilling for longer than the rules' patience.
        """
        now, state = self._clock(), self._of(host, rules)
        state.failures += 1
        state.trial = None
        if pause_s is None and state.tripped_at is None and state.failures < rules.breaker_failures:
            return True
        state.asked_for = pause_s is not None
        state.tripped_at = now if state.tripped_at is None else state.tripped_at
        state.open_until = max(state.open_until, now + (rules.breaker_pause_s if pause_s is None else pause_s))
        return _why(state, rules) == "paused"

    def _of(self, host: str, rules: Rules) -> _Host:
        return self._hosts.setdefault(host, _Host(float(rules.burst), self._clock()))


def _why(state: _Host, rules: Rules) -> str:
    """A host that asks for a pause is waited for, until it has been unwilling for longer than is reasonable."""
    since = state.open_until - (state.tripped_at or 0.0)
    return "paused" if state.asked_for and since <= rules.patience_s else "open"


class _Spent:
    """Requests of the day (UTC) by host, kept in storage so that a restart does not begin at nought."""

    def __init__(self, clock: Callable[[], float]):
        self._clock = clock
        self._counts: dict[tuple[str, str], dict[str, int]] = {}
        self._saved_at = 0.0
        self._day = ""

    def take(self, host: str, rules: Rules) -> bool:
        account = rules.account or ("", "")
        counts = self._of_today(account)
        if counts.get(host, 0) >= (rules.daily_requests or 0):
            return False
        counts[host] = counts.get(host, 0) + 1
        if account[0] and self._clock() - self._saved_at >= _SAVED_EVERY_S:
            self._save(account)
        return True

    def until_tomorrow_s(self) -> float:
        now = datetime.now(timezone.utc)
        return 86_400.0 - (now.hour * 3600 + now.minute * 60 + now.second)

    def _of_today(self, account: tuple[str, str]) -> dict[str, int]:
        today = datetime.now(timezone.utc).date().isoformat()
        if today != self._day:
            self._counts, self._day = {}, today
        if account not in self._counts:
            self._counts[account] = self._load(account)
        return self._counts[account]

    def _load(self, account: tuple[str, str]) -> dict[str, int]:
        if not account[0] or not (storage := Storage(account[0])).exists(account[1]):
            return {}
        saved = json.loads(storage.read(account[1]))
        return saved["requests"] if saved["day"] == self._day else {}

    def _save(self, account: tuple[str, str]) -> None:
        self._saved_at = self._clock()
        text = json.dumps({"day": self._day, "requests": self._counts[account]}, sort_keys=True)
        Storage(account[0]).write(account[1], text.encode())
