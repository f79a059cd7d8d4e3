"""Computes an expensive result once per process, whichever thread asks for it first."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Generic, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class KeyedLocks:
    """A lock for each key. A lock exists only while a thread holds it or waits for it."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._locks: dict[Hashable, tuple[threading.Lock, int]] = {}

    def acquire(self, key: Hashable) -> None:
        with self._guard:
            lock, waiting = self._locks.get(key, (threading.Lock(), 0))
            self._locks[key] = (lock, waiting + 1)
        lock.acquire()

    def release(self, key: Hashable) -> None:
        with self._guard:
            lock, waiting = self._locks.pop(key)
            if waiting > 1:
                self._locks[key] = (lock, waiting - 1)
        lock.release()


class once(Generic[P, T]):
    """A decorator that remembers the result of a function for each combination of arguments.

    If several threads call the function with the same arguments at once, one of them computes the result and the others wait for it;
    functools.cache would let all of them compute it. A call that raises is not remembered.
    """

    def __init__(self, function: Callable[P, T]):
        self._function = function
        self._results: dict[Hashable, T] = {}
        self._locks = KeyedLocks()
        self.__doc__ = function.__doc__

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        key = (args, tuple(sorted(kwargs.items())))
        if key in self._results:
            return self._results[key]
        self._locks.acquire(key)
        try:
            if key not in self._results:
                self._results[key] = self._function(*args, **kwargs)
            return self._results[key]
        finally:
            self._locks.release(key)
