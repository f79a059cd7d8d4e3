"""The governor: every request waits here until its host may be asked, and work with a transient failure is tried again."""

from __future__ import annotations

import contextlib
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

import tenacity

from vidal.errors import RecordError
from vidal.net.daily_quota import QuotaFile
from vidal.net.rate_limiter import Admission, HostRules, LocalRateLimiter, RateLimiter
from vidal.net.settings import Crawl, HostLimits
from vidal.schema import Reason

T = TypeVar("T")
QUOTA_NAME = "_crawl/requests.json"
# The slot of a dead worker becomes free after this time. A live worker renews its lease several times within it.
LEASE_S = 15.0
RENEWED_EVERY_S = 4.0
# These wait for another day or another run, because an immediate retry cannot help.
_RETRIED_LATER = {Reason.BREAKER_OPEN, Reason.DAILY_BUDGET}
_NO_LIMITS = HostLimits()


@dataclass
class _Work:
    """The work of one thread: its lease with the rate limiter, the hosts that it asked, and how long it waited for them."""

    lease: str
    hosts: set[str] = field(default_factory=set)
    waited_s: float = 0.0


class Governor:
    """Shared by the threads of a worker. With a shared rate limiter, the limits hold for the whole cluster."""

    def __init__(
        self,
        crawl: Crawl,
        rate_limiter: RateLimiter | None = None,
        *,
        out: str | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ):
        self._crawl, self._sleep = crawl, sleep
        self._rate_limiter = rate_limiter or LocalRateLimiter(clock)
        self._out = out
        self._threads = threading.local()
        self._active: set[tuple[str, str]] = set()
        self._renewer_lock = threading.Lock()
        self._renewer: threading.Thread | None = None

    def call(self, work: Callable[[], T]) -> tuple[T, int]:
        """Does a piece of work whose requests pass through `admit`. Returns its result and the number of attempts.

        After a transient failure it tries again, after a jittered exponential pause or the pause that the host asked for. Raises the
        last RecordError, with the number of attempts.
        """
        self._threads.is_hopeless = False
        patience = _Patience(self._crawl, lambda: self._threads.is_hopeless)
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(lambda error: isinstance(error, RecordError) and error.transient),
            stop=patience.is_over,
            wait=patience.wait_s,
            sleep=self._sleep,
            reraise=True,
        )
        try:
            result = retrying(self._call_once, work)
        except RecordError as error:
            error.attempts = retrying.statistics["attempt_number"]
            raise
        return result, retrying.statistics["attempt_number"]

    def admit(self, host: str) -> float:
        """Waits until the host may be asked, and returns the seconds that it waited.

        Raises RecordError(daily_budget or breaker_open) if the wait would be too long.
        """
        work = self._current_work()
        rules, waited_before_s = self._rules_for(host), work.waited_s
        while True:
            admission = self._rate_limiter.request_slot(host, work.lease, rules)
            _raise_refusal(host, admission, rules)
            if admission.wait_s > 0:
                self._sleep(admission.wait_s)
                work.waited_s += admission.wait_s
            if admission.is_granted:
                self._hold_slot(host, work)
                return work.waited_s - waited_before_s

    def record_success(self, host: str) -> None:
        self._rate_limiter.record_success(host)

    def record_failure(self, host: str, error: RecordError) -> None:
        """Reports a transient failure to the rate limiter. A host that says it gets too many requests is left alone at once."""
        if not error.transient:
            return
        pause_s = error.retry_after_s
        if pause_s is None and error.reason is Reason.RATE_LIMITED:
            pause_s = self._crawl.breaker_pause_s
        is_worth_waiting = self._rate_limiter.record_failure(host, self._rules_for(host), pause_s)
        self._threads.is_hopeless = error.reason is Reason.RATE_LIMITED and not is_worth_waiting

    def _call_once(self, work: Callable[[], T]) -> T:
        with self._leased():
            return work()

    @contextlib.contextmanager
    def _leased(self) -> Iterator[None]:
        """Holds the slots of the hosts until the work ends."""
        work = self._threads.work = _Work(uuid.uuid4().hex)
        try:
            yield
        finally:
            self._threads.work = None
            for host in work.hosts:
                self._active.discard((host, work.lease))
                self._rate_limiter.release_slot(host, work.lease)

    def _hold_slot(self, host: str, work: _Work) -> None:
        work.hosts.add(host)
        self._active.add((host, work.lease))
        with self._renewer_lock:
            if self._renewer is None:
                self._renewer = threading.Thread(target=self._renew_leases, name="leases", daemon=True)
                self._renewer.start()

    def _renew_leases(self) -> None:
        """Runs in a thread of its own, which ends when no work has been active for one interval."""
        while True:
            time.sleep(RENEWED_EVERY_S)
            with self._renewer_lock:
                if not self._active:
                    self._renewer = None
                    return
            self._rate_limiter.renew_leases(list(self._active.copy()), LEASE_S)

    def _current_work(self) -> _Work:
        work: _Work | None = getattr(self._threads, "work", None)
        if work is None:
            raise RuntimeError("a request outside Governor.call")
        return work

    def _rules_for(self, host: str) -> HostRules:
        crawl, limits = self._crawl, self._limits_of(host)
        daily_requests = limits.daily_requests or crawl.daily_requests
        return HostRules(
            requests_per_s=limits.requests_per_s or crawl.requests_per_s,
            burst=limits.burst or crawl.burst,
            concurrency=limits.host_concurrency or crawl.host_concurrency,
            lease_s=LEASE_S,
            breaker_failures=crawl.breaker_failures,
            breaker_pause_s=crawl.breaker_pause_s,
            patience_s=crawl.patience_s,
            daily_requests=daily_requests,
            quota_file=QuotaFile(self._out, QUOTA_NAME) if daily_requests and self._out else None,
        )

    def _limits_of(self, host: str) -> HostLimits:
        """Returns the recipe's limits for the host: those of the longest name that the host equals or is a subdomain of."""
        names = [name for name in self._crawl.hosts if host == name or host.endswith(f".{name}")]
        return self._crawl.hosts[max(names, key=len)] if names else _NO_LIMITS


def _raise_refusal(host: str, admission: Admission, rules: HostRules) -> None:
    if admission.refusal == "spent":
        detail = f"{host}: {rules.daily_requests} requests today, as the recipe allows"
        raise RecordError(Reason.DAILY_BUDGET, detail, transient=True)
    if admission.refusal == "open":
        detail = f"{host} fails, and is left alone for {admission.wait_s:.0f} s"
        raise RecordError(Reason.BREAKER_OPEN, detail, transient=True)


class _Patience:
    """Decides when to stop trying. A pause that a host asks for costs no attempt; the rate limiter says if it becomes too long."""

    def __init__(self, crawl: Crawl, is_hopeless: Callable[[], bool]):
        self._crawl, self._is_hopeless = crawl, is_hopeless
        self._jitter = tenacity.wait_random_exponential(multiplier=crawl.backoff_s, max=crawl.backoff_max_s)
        self._failures = 0

    def is_over(self, state: tenacity.RetryCallState) -> bool:
        error = _error_of(state)
        if error.reason in _RETRIED_LATER or self._is_hopeless():
            return True
        self._failures += error.reason is not Reason.RATE_LIMITED
        return self._failures >= self._crawl.attempts

    def wait_s(self, state: tenacity.RetryCallState) -> float:
        error = _error_of(state)
        return max(self._jitter(state), error.retry_after_s or 0.0)


def _error_of(state: tenacity.RetryCallState) -> RecordError:
    error = state.outcome.exception() if state.outcome else None
    if not isinstance(error, RecordError):
        raise TypeError(f"only a RecordError is tried again, not {error!r}")
    return error
