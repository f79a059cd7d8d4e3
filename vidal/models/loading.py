"""Coordinates the threads of a process that share models.

While one thread loads a model, no other thread loads or uses a model. Without this rule, tensors of other threads could get the wrong
dtype. The library transformers changes torch's default dtype for the whole process while it loads a bf16 checkpoint.

Several threads may use models at the same time. They read inputs and write results in parallel, but they compute one after another. A
GPU therefore holds one batch at a time.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

_state = threading.Condition()
_users: dict[int, int] = {}  # The number of nested uses of each thread.
_loader: list[int] = []  # The thread that is loading, once for each nested load.
_waiting: list[int] = []  # The threads that are waiting to load.
_computing: list[int] = []  # The thread that is computing, once for each nested computation.


@contextlib.contextmanager
def using() -> Iterator[None]:
    """A context for the use of models. Waits while another thread loads a model, and while another thread waits to load one.

    A thread that is already inside `using`, `loading` or `computing` does not wait.
    """
    me = threading.get_ident()
    with _state:
        _state.wait_for(lambda: _loader[0] == me if _loader else me in _users or not _waiting)
        _users[me] = _users.get(me, 0) + 1
    try:
        yield
    finally:
        with _state:
            _end_use(me)


def _end_use(me: int) -> None:
    _users[me] -= 1
    if not _users[me]:
        del _users[me]
    _state.notify_all()


@contextlib.contextmanager
def loading() -> Iterator[None]:
    """A context for the loading of a model. Waits until no other thread uses or loads a model.

    A thread may load a model inside `using`. While such a thread waits, it does not count as a user. If it counted, two such threads
    would wait for each other forever.
    """
    me = threading.get_ident()
    with _state:
        mine = _users.pop(me, 0)
        _waiting.append(me)
        _state.notify_all()
        try:
            _state.wait_for(lambda: (not _loader or _loader[0] == me) and not _users)
            _loader.append(me)
        finally:
            _waiting.remove(me)
    try:
        yield
    finally:
        with _state:
            _loader.pop()
            if mine:
                _users[me] = mine
            _state.notify_all()


@contextlib.contextmanager
def computing() -> Iterator[None]:
    """A context for a model's computation in this process. Waits until no other thread computes or loads a model."""
    me = threading.get_ident()
    with _state:
        # This thread is not a user while it waits: the thread that computes may have to load a model, which waits for all users.
        mine = _users.pop(me, 0)
        _state.notify_all()
        _state.wait_for(lambda: (not _loader or _loader[0] == me) and (not _computing or _computing[0] == me))
        _computing.append(me)
        _users[me] = mine + 1
    try:
        yield
    finally:
        with _state:
            _computing.pop()
            _end_use(me)
