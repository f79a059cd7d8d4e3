"""Prevents the threads of a process from using models while one of them loads a model, and from computing at the same time.

While transformers loads a bf16 checkpoint, it sets torch's default dtype, which is global to the process: a tensor that another
thread creates meanwhile becomes bf16. Therefore any number of threads may be inside `using` at once, but while one thread loads a
model, no other may use or load one. The threads inside `using` take turns to compute: a GPU then holds one batch at a time, and the
other threads read and write files meanwhile.
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
    """A context for the use of models. Waits while another thread loads a model or is waiting to load one.

    It waits for the waiting threads, too, because otherwise threads that use models for record after record could keep them waiting
    forever. A thread that is already inside `using` does not wait for them: they are waiting for that thread to leave.
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

    A thread that is inside `using` does not count as a user while it waits here. Otherwise two such threads would wait for each other.
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
    """A context for a model's computation in this process. Waits until no other thread computes or loads a model.

    A thread that is inside `using` does not count as a user while it waits here, because the thread that is computing may itself have to
    load a model.
    """
    me = threading.get_ident()
    with _state:
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
