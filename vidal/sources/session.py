"""A worker's way to the network: one governor, one guard, one watchdog, and as many clients as work at the same time."""

from __future__ import annotations

import contextlib
import itertools
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import TypeVar

from vidal.config.recipe import Recipe
from vidal.net.address_guard import AddressGuard
from vidal.net.client import Client
from vidal.net.governor import Governor
from vidal.net.robots import Robots
from vidal.net.watchdog import Watchdog
from vidal.pipeline.stage import Runtime
from vidal.sources.registry import Sources, options

T = TypeVar("T")
# A client is kept for as long as the worker lives, unless the sites that it met have filled its cookie jar.
_COOKIES_MAX = 1000


class Session:
    """A client and its sources, lent to one thread for one candidate: the client remembers what it has just described."""

    def __init__(self, client: Client, sources: Sources, governor: Governor):
        self.client, self._sources, self._governor = client, sources, governor

    def call(self, work: Callable[[Sources], T]) -> tuple[T, int]:
        """Does a description, a search or a download within its limits; a transient failure is tried again.

        Returns its result and the attempts. Raises RecordError.
        """

        def once() -> T:
            with self.client.work():
                return work(self._sources)

        return self._governor.call(once)


class Network:
    """Safe to share between threads. Its clients are closed with it, or when nothing refers to it any more."""

    def __init__(self, recipe: Recipe, runtime: Runtime):
        self._recipe, self._runtime = recipe, runtime
        self._governor = Governor(recipe.crawl, runtime.rate_limiter, out=runtime.out)
        self._guard = AddressGuard.from_settings(recipe.crawl, runtime.allow_hosts)
        self._robots = Robots(recipe.crawl.user_agent)
        self._watchdog = Watchdog()
        self._proxies = itertools.cycle(recipe.crawl.proxies or (None,))
        self._idle = _Idle()
        self._closing = weakref.finalize(self, self._idle.close)

    @contextlib.contextmanager
    def session(self) -> Iterator[Session]:
        """A client that no other thread uses meanwhile; one that has worked before, where one is free."""
        session = self._idle.take() or self._new()
        try:
            yield session
        finally:
            self._idle.give(session)

    def call(self, work: Callable[[Sources], T]) -> tuple[T, int]:
        """Session.call, for work that stands alone."""
        with self.session() as session:
            return session.call(work)

    def close(self) -> None:
        """Closes the clients; one that works now is closed when it has ended."""
        self._closing()

    def _new(self) -> Session:
        recipe, services = self._recipe, options(self._runtime.endpoints)
        client = Client(recipe.crawl, self._governor, self._guard, self._watchdog, services, next(self._proxies))
        return Session(client, Sources(recipe, client, self._robots), self._governor)


class _Idle:
    """The sessions that nobody uses now. The last that was given back is taken first."""

    def __init__(self) -> None:
        self._sessions: list[Session] = []
        self._lock = threading.Lock()
        self._is_closed = False

    def take(self) -> Session | None:
        with self._lock:
            return self._sessions.pop() if self._sessions else None

    def give(self, session: Session) -> None:
        with self._lock:
            is_kept = not self._is_closed and len(session.client.cookiejar) <= _COOKIES_MAX
            if is_kept:
                self._sessions.append(session)
        if not is_kept:
            session.client.close()

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
            sessions, self._sessions = self._sessions, []
        for session in sessions:
            session.client.close()
