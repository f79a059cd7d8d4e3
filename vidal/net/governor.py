"""The governor: every request waits here for its host's turn; a transient failure is tried again, later."""

from __future__ import annotations

import contextlib
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

import tenacity

from vidal.errors import RecordError
from vidal.net.rate_limiter import Board, LocalBoard, Rules
from vidal.net.settings import Crawl, HostLimits
from vidal.schema import Reason

T = TypeVar("T")
ACCOUNT = "_crawl/requests.json"
# A slot is free again so long after its worker died; a live one says several times in it that it goes on.
LEASE_S = 15.0
RENEWED_EVERY_S = 4.0
# Not before another day, or another run: trying again at once is of no use.
_LATER = {Reason.BREAKER_OPEN, Reason.DAILY_BUDGET}
_NO_LIMITS = HostLimits()


@dataclass
class _Work:
    """What one thread does now: its name on the board, the hosts that it asked, the seconds that it waited for them."""

    lease: str
    hosts: set[str] = field(default_factory=set)
    waited_s: float = 0.0


class Governor:
    """Shared by the threads of a worker; over a shared board, by a cluster."""

    def __init__(
        self,
        crawl: Crawl,
        board: Board | None = None,
        *,
        out: str | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ):
        self._crawl, self._sleep = crawl, sleep
        self._board = board or Locked(LocalBoard(clock))
        self._out = out
        self._threads = threading.local()
        self._active: set[tuple[str, str]] = set()
        self._renewing = threading.Lock()
        self._renewer: threading.Thread | None = None

    def call(self, request: Callable[[], T]) -> tuple[T, int]:
        """Does a piece of work whose requests pass through `admit`. Gives its result and the attempts that it took.

        A transient failure is tried again after a jittered exponential pause, or after what the host asked for. Raises the
        last RecordError, with its attempts.
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
            result = retrying(self._once, request)
        except RecordError as error:
            error.attempts = retrying.statistics["attempt_number"]
            raise
        return result, retrying.statistics["attempt_number"]

    def admit(self, host: str) -> float:
        """Waits until the host may be asked; gives the seconds waited. Raises RecordError where it may not for too long."""
        work = self._work()
        rules, started = self._rules(host), work.waited_s
        while True:
            answer = self._board.ask(host, work.lease, rules)
            if answer.why == "spent":
                raise RecordError(
                    Reason.DAILY_BUDGET,
                    f"{host}: {rules.daily_requests} requests today, as the recipe allows",
                    transient=True,
                )
            if answer.why == "open":
                raise RecordError(
                    Reason.BREAKER_OPEN, f"{host} fails, and is left alone for {answer.wait_s:.0f} s", transient=True
                )
            if answer.wait_s > 0:
                self._sleep(answer.wait_s)
                work.waited_s += answer.wait_s
            if answer.go:
                self._hold(host, work)
                return work.waited_s - started

    def worked(self, host: str) -> None:
        self._board.worked(host)

    def failed(self, host: str, error: RecordError) -> None:
        """Tells the board of a transient failure. A host that is asked too much is left alone at once."""
        if not error.transient:
            return
        pause_s = error.retry_after_s
        if pause_s is None and error.reason is Reason.RATE_LIMITED:
            pause_s = self._crawl.breaker_pause_s
        worth_waiting = self._board.failed(host, self._rules(host), pause_s)
        self._threads.is_hopeless = error.reason is Reason.RATE_LIMITED and not worth_waiting

    def _once(self, request: Callable[[], T]) -> T:
        with self._working():
            return request()

    @contextlib.contextmanager
    def _working(self) -> Iterator[None]:
        """Slots of the hosts are held until the work is done or has failed."""
        work = self._threads.work = _Work(uuid.uuid4().hex)
        try:
            yield
        finally:
            self._threads.work = None
            for host in work.hosts:
                self._active.discard((host, work.lease))
                self._board.release(host, work.lease)

    def _hold(self, host: str, work: _Work) -> None:
        work.hosts.add(host)
        self._active.add((host, work.lease))
        with self._renewing:
            if self._renewer is None:
                self._renewer = threading.Thread(target=self._renew, name="leases", daemon=True)
                self._renewer.start()

    def _renew(self) -> None:
        """Until nothing has been under way for a while."""
        while True:
            time.sleep(RENEWED_EVERY_S)
            with self._renewing:
                if not self._active:
                    self._renewer = None
                    return
            self._board.renew(list(self._active.copy()), LEASE_S)

    def _work(self) -> _Work:
        work = getattr(self._threads, "work", None)
        if work is None:
            raise RuntimeError("a request outside Governor.call")
        return work

    def _rules(self, host: str) -> Rules:
        crawl, own = self._crawl, self._limits(host)
        daily = own.daily_requests or crawl.daily_requests
        return Rules(
            requests_per_s=own.requests_per_s or crawl.requests_per_s,
            burst=own.burst or crawl.burst,
            concurrency=own.host_concurrency or crawl.host_concurrency,
            lease_s=LEASE_S,
            breaker_failures=crawl.breaker_failures,
            breaker_pause_s=crawl.breaker_pause_s,
            patience_s=crawl.patience_s,
            daily_requests=daily,
            account=(self._out, ACCOUNT) if daily and self._out else None,
        )

    def _limits(self, host: str) -> HostLimits:
        """Of the longest name in the recipe that the host is or belongs to."""
        fitting = [name for name in self._crawl.hosts if host == name or host.endswith(f".{name}")]
        return self._crawl.hosts[max(fitting, key=len)] if fitting else _NO_LIMITS


class Locked:
    """A board that the threads of one process share."""

    def __init__(self, board: LocalBoard):
        self._board, self._lock = board, threading.Lock()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._board, name)

        def locked(*args: Any) -> Any:
            with self._lock:
                return method(*args)

        return locked


class _Patience:
    """When to try no more. A host that asks to be left alone costs no attempt: the board says when that has gone too far."""

    def __init__(self, crawl: Crawl, is_hopeless: Callable[[], bool]):
        self._crawl, self._is_hopeless = crawl, is_hopeless
        self._jitter = tenacity.wait_random_exponential(multiplier=crawl.backoff_s, max=crawl.backoff_max_s)
        self._failures = 0

    def is_over(self, state: tenacity.RetryCallState) -> bool:
        error = _error(state)
        if error.reason in _LATER or self._is_hopeless():
            return True
        self._failures += error.reason is not Reason.RATE_LIMITED
        return self._failures >= self._crawl.attempts

    def wait_s(self, state: tenacity.RetryCallState) -> float:
        error = _error(state)
        return max(self._jitter(state), error.retry_after_s or 0.0)


def _error(state: tenacity.RetryCallState) -> RecordError:
    error = state.outcome.exception() if state.outcome else None
    if not isinstance(error, RecordError):
        raise TypeError(f"only a RecordError is tried again, not {error!r}")
    return error
