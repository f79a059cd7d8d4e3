"""A worker's access to the network: one governor, one address guard, one watchdog, and a client for each active thread."""

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
from vidal.net.effort import Effort
from vidal.net.governor import Governor
from vidal.net.site_rules import SiteRules
from vidal.net.watchdog import Watchdog
from vidal.pipeline.stage import Runtime
from vidal.sources.collections import open_collection
from vidal.sources.dispatch import Sources
from vidal.sources.ytdlp import client_options

T = TypeVar("T")
# A client lives as long as the worker, unless the sites that it asked have filled its cookie jar.
_COOKIES_MAX = 1000


class Session:
    """A client and its sources, lent to one thread for one candidate, because a source remembers the page it has just described."""

    def __init__(self, client: Client, sources: Sources, governor: Governor):
        self.client, self._sources, self._governor = client, sources, governor

    def call(self, work: Callable[[Sources], T], effort: Effort | None = None) -> tuple[T, int]:
        """Does a description, a search or a download within its limits, and tries again after a transient failure.

        effort: what the candidate has cost so far. Returns its result and the number of attempts. Raises RecordError, and PutBack if the
        effort allows it.
        """
        spent = effort or Effort()

        def once() -> T:
            with self.client.work(spent):
                return work(self._sources)

        return self._governor.call(once, spent)


class Network:
    """The sessions of a worker. Safe to share between threads. Its clients are closed with it, or when it is garbage-collected."""

    def __init__(self, recipe: Recipe, runtime: Runtime):
        self._recipe, self._runtime = recipe, runtime
        self._governor = Governor(recipe.crawl, runtime.rate_limiter, out=runtime.out)
        self._guard = AddressGuard.from_settings(recipe.crawl, runtime.allow_hosts)
        self._rules = SiteRules(recipe.crawl.user_agent, bool(recipe.crawl.opt_out))
        self._watchdog = Watchdog()
        self._proxies = itertools.cycle(recipe.crawl.proxies or (None,))
        self._collection = open_collection(recipe)
        self._pool = _SessionPool()
        self._finalizer = weakref.finalize(self, self._pool.close)

    @contextlib.contextmanager
    def session(self) -> Iterator[Session]:
        """Lends a session that no other thread uses meanwhile: an idle one if there is one, else a new one."""
        session = self._pool.take() or self._create_session()
        try:
            yield session
        finally:
            self._pool.put_back(session)

    def call(self, work: Callable[[Sources], T]) -> tuple[T, int]:
        """Calls Session.call in any session, for work that needs no other call in the same session."""
        with self.session() as session:
            return session.call(work)

    def close(self) -> None:
        """Closes the clients. A client that is in use is closed when its work ends."""
        self._finalizer()
        if self._collection:
            self._collection.close()

    def _create_session(self) -> Session:
        recipe, options = self._recipe, client_options(self._runtime.endpoints)
        client = Client(
            recipe.crawl, self._governor, self._guard, self._rules, self._watchdog, options, next(self._proxies)
        )
        return Session(client, Sources(recipe, client, self._collection), self._governor)


class _SessionPool:
    """Idle sessions. The last one that was returned is lent first, because its connections are the freshest."""

    def __init__(self) -> None:
        self._sessions: list[Session] = []
        self._lock = threading.Lock()
        self._is_closed = False

    def take(self) -> Session | None:
        with self._lock:
            return self._sessions.pop() if self._sessions else None

    def put_back(self, session: Session) -> None:
        with self._lock:
            is_reusable = not self._is_closed and len(session.client.cookiejar) <= _COOKIES_MAX
            if is_reusable:
                self._sessions.append(session)
        if not is_reusable:
            session.client.close()

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
            sessions, self._sessions = self._sessions, []
        for session in sessions:
            session.client.close()
