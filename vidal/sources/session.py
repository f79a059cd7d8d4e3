"""A worker's access to the network. Each active thread has a session, and each session has its own client.

All clients of a worker obey the same limits: the rates of requests, the addresses that are allowed, and the time that work may take.
"""

from __future__ import annotations

import contextlib
import itertools
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import TypeVar

from vidal.config.recipe import Recipe
from vidal.errors import RecordError
from vidal.net.address_guard import AddressGuard
from vidal.net.client import Client
from vidal.net.effort import Effort
from vidal.net.governor import Governor
from vidal.net.identities import ActiveIdentity, Identities
from vidal.net.site_rules import SiteRules
from vidal.net.watchdog import Watchdog
from vidal.pipeline.stage import Runtime
from vidal.records import Candidate
from vidal.sources.collections import open_collection
from vidal.sources.dispatch import Sources
from vidal.sources.ytdlp import client_options

T = TypeVar("T")
# A client lives as long as the worker, unless the sites that it asked have filled its cookie jar.
_COOKIES_MAX = 1000


class Session:
    """A client and the sources that use it. A thread has a session for itself while it works on one candidate or query.

    A source may remember a page that it has described, as YtDlp does. If the same session then downloads from this page, the source does
    not request the page again.
    """

    def __init__(self, client: Client, sources: Sources, governor: Governor):
        self.client, self.sources, self._governor = client, sources, governor

    def call(self, work: Callable[[Sources], T], effort: Effort | None = None) -> tuple[T, int]:
        """Calls `work`, such as a description or a download, within the recipe's limits, and again after a transient failure.

        effort: what the candidate has cost so far. Returns the result of the work and the number of attempts. Raises RecordError if
        no attempt succeeds. If effort.may_be_put_back is set, raises PutBack instead of waiting before the next attempt.
        """
        spent = effort or Effort()
        return self._governor.call(lambda: self.attempt(work, spent), spent)

    def attempt(self, work: Callable[[Sources], T], effort: Effort) -> T:
        with self.client.work(effort):
            return work(self.sources)


class IdentitySession:
    """Does the work of one candidate or query with the user's identities (accounts and proxies).

    If crawl.share_identities is set, each attempt uses the identity that is free first. If not, all attempts use the same identity, which
    a hash of `key` assigns to the work.

    key: names the work. lent: an exit stack, which receives the sessions that the work uses. When it is closed, the Network gets the
    sessions back.
    """

    def __init__(self, network: Network, key: str, lent: contextlib.ExitStack):
        self._network, self._key, self._lent = network, key, lent
        self._sessions: dict[str, Session] = {}

    def call(self, work: Callable[[Sources], T], effort: Effort | None = None) -> tuple[T, int]:
        """Calls `work` with one of the user's identities. After a transient failure, calls `work` again, perhaps with another identity.

        Returns the result of the work and the number of attempts. Raises RecordError if no attempt succeeds.

        effort: what the candidate has cost so far. If effort.may_be_put_back is set, raises PutBack instead of waiting before the next
        attempt.
        """
        spent = effort or Effort()
        return self._network.governor.call(lambda: self._attempt(work, spent), spent)

    def _attempt(self, work: Callable[[Sources], T], effort: Effort) -> T:
        identities = self._network.identities
        try:
            return self._session_of(identities.choose(self._key)).attempt(work, effort)
        except RecordError as error:
            final = identities.explain_failure(error, self._key, effort)
            if final is error:
                raise
            raise final from error

    def _session_of(self, identity: ActiveIdentity) -> Session:
        name = identity.settings.name
        if name not in self._sessions:
            self._sessions[name] = self._lent.enter_context(self._network.session(identity))
        return self._sessions[name]


class Network:
    """Lends sessions to the threads of a worker. A session is a client, and the sources that use this client.

    `close` closes the clients. Without a call of `close`, they are closed when the Network is garbage-collected.

    Safe to share between threads.
    """

    def __init__(self, recipe: Recipe, runtime: Runtime):
        self._recipe, self._runtime = recipe, runtime
        self.governor = Governor(recipe.crawl, runtime.rate_limiter, out=runtime.out)
        self.identities = Identities(recipe.crawl, runtime.rate_limiter, runtime.out)
        self._guard = AddressGuard.from_settings(recipe.crawl, runtime.allow_hosts)
        self._rules = SiteRules(recipe.crawl.user_agent, bool(recipe.crawl.opt_out))
        self._watchdog = Watchdog()
        self._proxies = itertools.cycle(recipe.crawl.proxies or (None,))
        self._collection = open_collection(recipe)
        self._pool = _SessionPool()
        self._finalizer = weakref.finalize(self, self._pool.close)

    @contextlib.contextmanager
    def session(self, identity: ActiveIdentity | None = None) -> Iterator[Session]:
        """Lends a session to the calling thread alone: an idle one or, if there is none, a new one.

        identity: the identity that the client of the session uses. None: a client without an identity.
        """
        name = identity.settings.name if identity else None
        session = self._pool.take(name) or self._create_session(identity)
        try:
            yield session
        finally:
            self._pool.put_back(name, session)

    @contextlib.contextmanager
    def session_for(self, candidate: Candidate) -> Iterator[Session | IdentitySession]:
        """Lends a session for a candidate.

        If the recipe has identities (accounts and proxies of the user) and an extractor of yt-dlp fetches the candidate, lends an
        IdentitySession. Otherwise, lends a Session without an identity.
        """
        with contextlib.ExitStack() as lent:
            session = lent.enter_context(self.session())
            if not self.identities or not session.sources.is_extracted(candidate):
                yield session
                return
            lent.close()
            yield IdentitySession(self, candidate["candidate_id"], lent)

    def call(self, work: Callable[[Sources], T], key: str | None = None) -> tuple[T, int]:
        """Calls `work` within the recipe's limits. After a transient failure, calls `work` again.

        Each attempt may use another session. No attempt may depend on what an earlier attempt left in its session. Returns the result of
        the work and the number of attempts. Raises RecordError if no attempt succeeds.

        key: the name of the work, such as the text of a search. If there is a key and the recipe has identities (accounts and proxies of
        the user), each attempt uses an identity. Otherwise, no identity is used.
        """
        with contextlib.ExitStack() as lent:
            has_identity = key is not None and bool(self.identities)
            session = IdentitySession(self, key or "", lent) if has_identity else lent.enter_context(self.session())
            return session.call(work)

    def close(self) -> None:
        """Closes the clients. A client that is in use is closed when its work ends."""
        self._finalizer()
        if self._collection:
            self._collection.close()

    def _create_session(self, identity: ActiveIdentity | None) -> Session:
        recipe, options = self._recipe, client_options(self._runtime.endpoints)
        proxy = (identity.settings.proxy if identity else None) or next(self._proxies)
        client = Client(recipe.crawl, self.governor, self._guard, self._rules, self._watchdog, options, proxy, identity)
        return Session(client, Sources(recipe, client, self._collection), self.governor)


class _SessionPool:
    """Keeps idle sessions, to lend them again.

    A session is kept under the name of its identity (an account or proxy). A session without an identity is kept under None.
    """

    def __init__(self) -> None:
        self._sessions: dict[str | None, list[Session]] = {}
        self._lock = threading.Lock()
        self._is_closed = False

    def take(self, identity: str | None) -> Session | None:
        with self._lock:
            idle = self._sessions.get(identity)
            # The session that was put back last: its connections are the freshest.
            return idle.pop() if idle else None

    def put_back(self, identity: str | None, session: Session) -> None:
        with self._lock:
            is_reusable = not self._is_closed and len(session.client.cookiejar) <= _COOKIES_MAX
            if is_reusable:
                self._sessions.setdefault(identity, []).append(session)
        if not is_reusable:
            session.client.close()

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
            sessions, self._sessions = self._sessions, {}
        for session in itertools.chain.from_iterable(sessions.values()):
            session.client.close()
