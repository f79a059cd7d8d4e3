"""The governor: how often a host may be asked, and when to leave it alone."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import tenacity

from vidal.config import Crawl
from vidal.errors import RecordError
from vidal.schema import Reason

T = TypeVar("T")


@dataclass
class _Host:
    tokens: float
    filled_at: float
    failures: int = 0
    open_until: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)


class Governor:
    """A token bucket and a circuit breaker for every host, shared by the threads of a worker."""

    def __init__(
        self, crawl: Crawl, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
    ):
        self._crawl, self._clock, self._sleep = crawl, clock, sleep
        self._hosts: dict[str, _Host] = {}
        self._lock = threading.Lock()

    def call(self, host: str, request: Callable[[], T]) -> tuple[T, int]:
        """Does a request when the host may be asked, again after transient failures. Gives its result and the attempts.

        Raises the last RecordError, with its attempts.
        """
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(lambda error: isinstance(error, RecordError) and error.transient),
            stop=tenacity.stop_after_attempt(self._crawl.attempts),
            wait=tenacity.wait_random_exponential(multiplier=self._crawl.backoff_s, max=self._crawl.backoff_max_s),
            sleep=self._sleep,
            reraise=True,
        )
        try:
            result = retrying(self._once, host, request)
        except RecordError as error:
            error.attempts = retrying.statistics["attempt_number"]
            raise
        return result, retrying.statistics["attempt_number"]

    def _once(self, host: str, request: Callable[[], T]) -> T:
        self._take(host)
        try:
            result = request()
        except RecordError as error:
            if error.transient:
                self._failure(host)
            raise
        self._of(host).failures = 0
        return result

    def _take(self, host: str) -> None:
        state = self._of(host)
        with state.lock:
            now = self._clock()
            if now < state.open_until:
                raise RecordError(Reason.BREAKER_OPEN, f"{host} failed {state.failures} times in a row", transient=True)
            state.tokens = min(self._crawl.burst, state.tokens + (now - state.filled_at) * self._crawl.requests_per_s)
            state.tokens, state.filled_at = state.tokens - 1, now
            wait_s = -state.tokens / self._crawl.requests_per_s
        if wait_s > 0:
            self._sleep(wait_s)

    def _failure(self, host: str) -> None:
        state = self._of(host)
        with state.lock:
            state.failures += 1
            if state.failures >= self._crawl.breaker_failures:
                state.open_until = self._clock() + self._crawl.breaker_pause_s

    def _of(self, host: str) -> _Host:
        with self._lock:
            return self._hosts.setdefault(host, _Host(float(self._crawl.burst), self._clock()))
