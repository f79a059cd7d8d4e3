"""The governor makes every request wait until its host may be asked, and repeats work that has failed transiently."""

from __future__ import annotations

import contextlib
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from vidal.errors import HostPaused, IdentityPaused, PutBack, RecordError
from vidal.net.effort import Effort
from vidal.net.quota import Budget, QuotaFile
from vidal.net.rate_limiter import ADVANCE_S, Admission, HostRules, LocalRateLimiter, RateLimiter
from vidal.net.settings import Crawl
from vidal.schema import Reason

T = TypeVar("T")
QUOTA_NAME = "_crawl/requests.json"
# The slot of a dead worker becomes free after this time. A live worker renews its lease several times within it.
LEASE_S = 15.0
RENEWED_EVERY_S = 4.0
# Failures with these reasons mean that the host blocks the client that asked. It then gets no requests for a long time.
BLOCKS = {Reason.BOT_CHECK, Reason.RATE_LIMITED}
# A shorter pause is slept through in the middle of a piece of work; a longer one ends the attempt.
_SHORT_PAUSE_S = 0.2


@dataclass
class _Work:
    """The work of one thread. A thread holds at most one slot, which is a permission of the rate limiter to send requests to a host.

    lease: the name under which the slot is held. host: the host of the slot. waited_s: how many seconds the work has waited.
    advance: how many more requests the thread may send to the host without asking the rate limiter again. It must send them before
    advance_until, a time on the governor's clock.
    """

    lease: str
    effort: Effort
    host: str | None = None
    waited_s: float = 0.0
    advance: int = 0
    advance_until: float = 0.0


class Governor:
    """Admits requests and repeats failed work. The threads of a worker share one governor.

    rate_limiter: its limits hold for all workers that share it. None creates one for this worker alone. out: the URI of the dataset. The
    requests of the day are counted in a file there, so that the count survives a restart. None keeps the count in memory.
    """

    def __init__(
        self,
        crawl: Crawl,
        rate_limiter: RateLimiter | None = None,
        *,
        out: str | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ):
        self._crawl, self._sleep, self._clock = crawl, sleep, clock
        self._rate_limiter = rate_limiter or LocalRateLimiter(clock)
        self._out = out
        self._threads = threading.local()
        self._active: set[tuple[str, str]] = set()
        self._renewer_lock = threading.Lock()
        self._renewer: threading.Thread | None = None

    def call(self, work: Callable[[], T], effort: Effort | None = None) -> tuple[T, int]:
        """Calls `work`, whose requests pass through `admit`. Returns its result and the number of attempts.

        After a transient failure, pauses, then calls `work` again. The pause is random, with a limit that grows exponentially. If the
        host asked for a longer pause, that one is used. effort: what the candidate has cost so far.

        Raises RecordError, with the number of attempts, if no attempt succeeds. If effort.may_be_put_back is set, raises PutBack instead
        of pausing, so that the caller can do other work.
        """
        effort = effort or Effort()
        effort.is_hopeless = False
        while True:
            try:
                with self._leased(effort):
                    return work(), effort.tries + 1
            except RecordError as error:
                pause_s = effort.pause_after(error, self._crawl)
                if pause_s is None:
                    final = _final(error, effort)
                    if final is error:
                        raise
                    raise final from error
            if effort.may_be_put_back and pause_s > 0:
                raise PutBack(pause_s)
            self._sleep(pause_s)

    def admit(self, host: str) -> float:
        """Waits until the host may be asked, and returns the seconds that it waited.

        The work then holds one of the host's slots (see HostRules). A slot that it holds at a different host is given up before the wait,
        because two pieces of work could otherwise wait for each other's slots forever.

        Raises RecordError(daily_budget) if the requests of the day are used up. Raises HostPaused if the host is paused for more
        than 0.2 s, or if other work has held all of the host's slots for longer than crawl.patience_s.
        """
        work = self._current_work()
        rules, waited_before_s = self._rules_for(host), work.waited_s
        if work.host != host:
            self._release_slot(work)
        elif work.advance and self._clock() < work.advance_until:
            work.advance -= 1
            return 0.0
        while True:
            admission = self._rate_limiter.request_slot(host, work.lease, rules)
            if not admission.is_granted:
                self._check_refusal(host, admission, rules, work, work.waited_s - waited_before_s)
            if admission.wait_s > 0:
                self._sleep(admission.wait_s)
                work.waited_s += admission.wait_s
            if admission.is_granted:
                self._hold_slot(host, work)
                work.advance, work.advance_until = admission.more, self._clock() + ADVANCE_S
                return work.waited_s - waited_before_s

    def give_up_slot(self) -> None:
        """Gives up this thread's permission to send requests to a host, if it holds one. Its next request waits for a new permission."""
        self._release_slot(self._current_work())

    def _check_refusal(self, host: str, admission: Admission, rules: HostRules, work: _Work, waited_s: float) -> None:
        """Raises the RecordError of a refusal, unless the work should wait and ask again. waited_s: the request's wait so far."""
        if admission.refusal == "spent":
            detail = f"{host}: all {rules.daily_requests.limit} requests that the recipe allows per day are used"
            raise RecordError(Reason.DAILY_BUDGET, detail, transient=True)
        if admission.refusal == "open":
            work.effort.is_hopeless = True
            raise HostPaused(
                f"{host} has failed too often, and is left alone for {admission.wait_s:.0f} s", admission.wait_s
            )
        if admission.refusal == "busy":
            if waited_s > self._crawl.patience_s:
                raise HostPaused(
                    f"other work has used all connections to {host} (crawl.host_concurrency) for {waited_s:.0f} s",
                    admission.wait_s,
                )
            return
        if admission.wait_s > _SHORT_PAUSE_S or work.effort.count_wait(admission.wait_s, self._crawl) is None:
            raise HostPaused(
                f"{host} asked for a pause or has failed, and is left alone for {admission.wait_s:.0f} s",
                admission.wait_s,
            )

    def record_success(self, host: str) -> None:
        self._rate_limiter.record_success(host)

    def record_failure(self, host: str, error: RecordError) -> None:
        """Reports a transient failure to the rate limiter, and ignores any other failure.

        If the host blocks us or asks for a pause, it gets no requests for a time. After any other transient failure, the host is only
        paused if there were too many in a row.
        """
        if not error.transient:
            return
        if work := getattr(self._threads, "work", None):
            work.advance = 0
        pause_s = error.retry_after_s
        if pause_s is None and error.reason in BLOCKS:
            is_check = error.reason is Reason.BOT_CHECK
            pause_s = self._crawl.block_pause_s if is_check else self._crawl.breaker_pause_s
        is_worth_waiting = self._rate_limiter.record_failure(host, self._rules_for(host), pause_s)
        if error.reason in BLOCKS and not is_worth_waiting:
            self._current_work().effort.is_hopeless = True

    @contextlib.contextmanager
    def _leased(self, effort: Effort) -> Iterator[None]:
        """A context for one piece of work in this thread. At its end, the work's slot at a host is released, if it holds one."""
        work = self._threads.work = _Work(uuid.uuid4().hex, effort)
        try:
            yield
        finally:
            self._threads.work = None
            self._release_slot(work)

    def _release_slot(self, work: _Work) -> None:
        if work.host is not None:
            self._active.discard((work.host, work.lease))
            self._rate_limiter.release_slot(work.host, work.lease, work.advance)
            work.host, work.advance = None, 0

    def _hold_slot(self, host: str, work: _Work) -> None:
        work.host = host
        self._active.add((host, work.lease))
        with self._renewer_lock:
            if self._renewer is None:
                self._renewer = threading.Thread(target=self._renew_leases, name="leases", daemon=True)
                self._renewer.start()

    def _renew_leases(self) -> None:
        """Keeps the slots (permissions to send requests to a host) of this worker from expiring. Runs in a thread while one is held."""
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
            raise RuntimeError(
                "a request was sent outside Governor.call: send it from the function that Governor.call runs"
            )
        return work

    def _rules_for(self, host: str) -> HostRules:
        crawl, limits = self._crawl, self._crawl.limits_of(host)
        return HostRules(
            requests_per_s=limits.requests_per_s or crawl.requests_per_s,
            burst=limits.burst or crawl.burst,
            concurrency=limits.host_concurrency or crawl.host_concurrency,
            lease_s=LEASE_S,
            breaker_failures=crawl.breaker_failures,
            breaker_pause_s=crawl.breaker_pause_s,
            patience_s=crawl.patience_s,
            daily_requests=Budget(limits.daily_requests, file=QuotaFile(self._out, QUOTA_NAME) if self._out else None),
        )


def _final(error: RecordError, effort: Effort) -> RecordError:
    """Returns the error to raise, with the number of attempts.

    If `error` only says that a host, an account or a proxy is paused, the failure of an earlier attempt is returned instead, if any.
    """
    last = effort.last_error if isinstance(error, (HostPaused, IdentityPaused)) and effort.last_error else error
    last.attempts = max(1, effort.tries)
    return last
