"""A worker's way to the network: one governor and one guard, and for each thread a client with its sources."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from typing import TypeVar

from vidal.config import Recipe
from vidal.crawl.client import Client
from vidal.crawl.governor import Governor
from vidal.crawl.guard import Guard
from vidal.crawl.robots import Robots
from vidal.sources.registry import Sources, options
from vidal.stage import Runtime

T = TypeVar("T")


class Network:
    def __init__(self, recipe: Recipe, runtime: Runtime):
        self._recipe, self._runtime = recipe, runtime
        self._governor = Governor(recipe.crawl, runtime.board, out=runtime.out)
        self._guard = Guard.of(recipe.crawl, runtime.allow_hosts)
        self._robots = Robots(recipe.crawl.user_agent)
        self._threads = threading.local()
        self._proxies = itertools.cycle(recipe.crawl.proxies or (None,))

    def call(self, work: Callable[[Sources], T]) -> tuple[T, int]:
        """Does a description, a search or a download within its limits, again where it failed in passing.

        Gives its result and the attempts. Raises RecordError.
        """

        def once() -> T:
            client, sources = self._of_thread()
            with client.work():
                return work(sources)

        return self._governor.call(once)

    def _of_thread(self) -> tuple[Client, Sources]:
        if not hasattr(self._threads, "mine"):
            crawl = self._recipe.crawl
            made = options(self._runtime.endpoints)
            client = Client(crawl, self._governor, self._guard, made, next(self._proxies))
            self._threads.mine = (client, Sources(self._recipe, client, self._robots))
        return self._threads.mine
