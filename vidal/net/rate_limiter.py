"""The rate limiter decides who may send the next request to a host, and when. All workers of a cluster can share one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from vidal.net.identity_budgets import IdentityBudgets, IdentityRules, Use
from vidal.net.quota import Budget, Quota

# How soon a worker asks again while it waits for a slot, and while it waits for another worker's trial request.
_ASK_AGAIN_S, _TRIAL_AGAIN_S = 0.2, 0.3
# If a host allows at least this many requests per second, several are granted to a piece of work at once, so that it asks the limiter
# less often. They must be sent within ADVANCE_S. They are at most what the rate allows in that time, and half of what the bucket holds.
_FAST_PER_S = 4.0
ADVANCE_S = 1.0


@dataclass(frozen=True)
class HostRules:
    """The limits of a host.

    requests_per_s, burst: the rate and the size of the token bucket. daily_requests: the budget of requests per day.
    concurrency: the number of slots. Only work that holds a slot may send requests to the host. lease_s: a slot becomes free if the
    process that holds it gives no sign of life for this many seconds.
    breaker_failures: after this many failures in a row, the host is paused for breaker_pause_s seconds.
    patience_s: the longest pause that work waits for. If no request succeeds between two pauses, they count as one long pause.
    """

    requests_per_s: float
    burst: int
    concurrency: int
    lease_s: float
    breaker_failures: int
    breaker_pause_s: float
    patience_s: float
    daily_requests: Budget


@dataclass(frozen=True)
class Admission:
    """The answer to a worker that wants to send a request.

    is_granted: whether the request may be sent, after wait_s seconds; if not, the worker may ask again after wait_s seconds.
    more: how many further requests to the same host are granted, if they are sent within ADVANCE_S seconds.
    refusal: "" if the request is granted, or else one of these:
    busy: other work already holds all slots of the host (HostRules.concurrency).
    paused: the host asked for a pause, or keeps failing.
    open: like paused, but the pause is too long to wait for (HostRules.patience_s).
    spent: the requests of the day are used up.
    """

    is_granted: bool
    wait_s: float
    refusal: str = ""
    more: int = 0


class RateLimiter(Protocol):
    """The interface of LocalRateLimiter, and of the rate limiter that all workers of a cluster share. LocalRateLimiter documents it."""

    def request_slot(self, host: str, lease: str, rules: HostRules) -> Admission: ...
    def renew_leases(self, leases: list[tuple[str, str]], lease_s: float) -> None: ...
    def release_slot(self, host: str, lease: str, unused: int = 0) -> None: ...
    def record_success(self, host: str) -> None: ...
    def record_failure(self, host: str, rules: HostRules, pause_s: float | None) -> bool: ...
    def use_identity(self, rules: IdentityRules, use: Use) -> float: ...
    def identity_wait_s(self, rules: IdentityRules) -> float: ...
    def pause_identity(self, rules: IdentityRules, pause_s: float) -> None: ...


@dataclass
class _HostState:
    """The state of a host. If the host fails too often or asks for a pause, its circuit breaker opens, and the host gets no requests.

    tripped_at: when the breaker opened; None if it is closed. trial: names the work that sends the first request after the pause. Other
    work waits for the outcome of this request. If the request succeeds, the breaker closes.
    """

    tokens: float
    filled_at: float
    leases: dict[str, float] = field(default_factory=dict)
    failures: int = 0
    tripped_at: float | None = None
    open_until: float = 0.0
    trial: str | None = None
    trial_until: float = 0.0


class LocalRateLimiter:
    """Keeps a token bucket, slots and a circuit breaker for each host. The threads of a process can share it safely."""

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock = clock
        self._hosts: dict[str, _HostState] = {}
        self._quota, self._identities = Quota(), IdentityBudgets()
        self._lock = threading.Lock()

    def request_slot(self, host: str, lease: str, rules: HostRules) -> Admission:
        """Asks whether one request may be sent to a host.

        lease: names the work that asks. If the answer is yes, the lease holds one of the host's slots until release_slot is called. A
        lease that is not renewed for rules.lease_s seconds loses its slot.
        """
        with self._lock:
            now, state = self._clock(), self._state_of(host, rules)
            return self._refuse(host, state, lease, rules, now) or _grant(state, lease, rules, now)

    def renew_leases(self, leases: list[tuple[str, str]], lease_s: float) -> None:
        """Makes leases last for lease_s seconds from now. leases: (host, lease). A dead worker renews none, so its slots become free."""
        with self._lock:
            until = self._clock() + lease_s
            for host, lease in leases:
                state = self._hosts.get(host)
                if state is None or lease not in state.leases:
                    continue
                state.leases[lease] = max(state.leases[lease], until)
                if state.trial == lease:
                    state.trial_until = max(state.trial_until, until)

    def release_slot(self, host: str, lease: str, unused: int = 0) -> None:
        """Ends a lease, so that other work can use its slot. unused: how many requests were allowed under the lease, but not sent."""
        with self._lock:
            if state := self._hosts.get(host):
                if lease in state.leases:
                    state.tokens += unused
                state.leases.pop(lease, None)
                if state.trial == lease:
                    state.trial = None

    def record_success(self, host: str) -> None:
        """Resets the host's count of failures and closes its circuit breaker. A pause that has begun still lasts to its end."""
        with self._lock:
            if state := self._hosts.get(host):
                state.failures, state.tripped_at, state.trial = 0, None, None

    def record_failure(self, host: str, rules: HostRules, pause_s: float | None) -> bool:
        """Counts a transient failure of a host, and pauses the host if necessary.

        pause_s: how long to pause the host, in seconds. If it is None, the host is only paused after too many failures in a row.
        Returns False if the host is now paused for longer than rules.patience_s, so that work should not wait for it; otherwise True.
        """
        with self._lock:
            now, state = self._clock(), self._state_of(host, rules)
            state.failures += 1
            state.trial = None
            if pause_s is None and state.failures < rules.breaker_failures:
                return True
            # After the pause, half as many failures are enough to open the breaker again. They are not fewer, so that a few bad
            # files do not keep the good ones waiting.
            state.failures = rules.breaker_failures // 2
            state.tripped_at = now if state.tripped_at is None else state.tripped_at
            state.open_until = max(state.open_until, now + (rules.breaker_pause_s if pause_s is None else pause_s))
            return _explain_pause(state, rules, now) == "paused"

    def use_identity(self, rules: IdentityRules, use: Use) -> float:
        """Counts one use of an identity, and returns 0.0. An identity is an account or proxy of the user.

        If the identity may not be used now, counts nothing, and returns the seconds until it may be used. use: what is counted,
        "requests" or "videos".
        """
        with self._lock:
            return self._identities.take(rules, use)

    def identity_wait_s(self, rules: IdentityRules) -> float:
        """Returns the seconds until an identity may be used for another video; 0.0 if it may be used now."""
        with self._lock:
            return self._identities.wait_s(rules)

    def pause_identity(self, rules: IdentityRules, pause_s: float) -> None:
        with self._lock:
            self._identities.pause(rules, pause_s)

    def _state_of(self, host: str, rules: HostRules) -> _HostState:
        return self._hosts.setdefault(host, _HostState(float(rules.burst), self._clock()))

    def _refuse(self, host: str, state: _HostState, lease: str, rules: HostRules, now: float) -> Admission | None:
        if now < state.open_until:
            return Admission(False, state.open_until - now, _explain_pause(state, rules, now))
        if state.tripped_at is not None and state.trial not in (None, lease) and now < state.trial_until:
            return Admission(False, _TRIAL_AGAIN_S, "paused")
        state.leases = {name: until for name, until in state.leases.items() if until > now}
        if lease not in state.leases and len(state.leases) >= rules.concurrency:
            return Admission(False, _ASK_AGAIN_S, "busy")
        wait_s = self._quota.take(host, rules.daily_requests)
        return Admission(False, wait_s, "spent") if wait_s else None


def _grant(state: _HostState, lease: str, rules: HostRules, now: float) -> Admission:
    """Grants a request, and perhaps further ones (Admission.more). Each of them costs one token of the host.

    If the host has less than one token, its count of tokens becomes negative. The worker must then wait for Admission.wait_s seconds
    before it sends the request. In this time, the host regains the missing tokens.
    """
    if state.tripped_at is not None:
        state.trial, state.trial_until = lease, now + rules.lease_s
    state.tokens = min(rules.burst, state.tokens + (now - state.filled_at) * rules.requests_per_s) - 1
    state.filled_at = now
    wait_s = max(0.0, -state.tokens / rules.requests_per_s)
    state.leases[lease] = now + wait_s + rules.lease_s
    more = _advance(state, rules)
    state.tokens -= more
    return Admission(True, wait_s, more=more)


def _advance(state: _HostState, rules: HostRules) -> int:
    """When a request is granted, returns how many more may follow it without asking again.

    Returns 0 if the host allows few requests, or if the last request to the host failed.
    """
    is_scarce = rules.requests_per_s < _FAST_PER_S or rules.daily_requests.limit is not None
    if is_scarce or state.failures or state.tripped_at is not None:
        return 0
    return max(0, min(int(state.tokens / 2), int(rules.requests_per_s * ADVANCE_S)))


def _explain_pause(state: _HostState, rules: HostRules, now: float) -> str:
    """Returns Admission.refusal for a paused host. It is "open" if the pause is too long to wait for, and otherwise "paused"."""
    since = now if state.tripped_at is None else state.tripped_at  # None: the host has answered since then.
    return "paused" if state.open_until - since <= rules.patience_s else "open"
