"""Locks that one process at a time can hold. They are advisory, and the lock of a process that died is released or expires."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from vidal.errors import LockedError
from vidal.storage.storage import Storage

# On a store without locks of its own, a lock older than this was left behind by a process that died.
EXPIRY_S = 120.0
_POLL_S = 0.2


@contextlib.contextmanager
def exclusive(storage: Storage, name: str, wait_s: float = 600.0, expiry_s: float = EXPIRY_S) -> Iterator[None]:
    """Holds the lock of this name during the block. Raises LockedError, a StorageError, if the lock is not free within wait_s seconds.

    On a local disk, the system releases the lock when the process ends, even after a crash. On an object store, or a network disk without
    locks, the lock is a file. After expiry_s seconds, another process may take the lock, even if the first one still runs.
    """
    with _flock(storage, name, wait_s, expiry_s) if storage.is_local else _object_lock(storage, name, wait_s, expiry_s):
        yield


@contextlib.contextmanager
def _flock(storage: Storage, name: str, wait_s: float, expiry_s: float) -> Iterator[None]:
    path = Path(storage.path(name))
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        for _ in _attempts(storage, name, wait_s):
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                continue
            except OSError:  # A network disk without locks: as on an object store.
                with _object_lock(storage, f"{name}.held", wait_s, expiry_s):
                    yield
                return
        yield


@contextlib.contextmanager
def _object_lock(storage: Storage, name: str, wait_s: float, expiry_s: float) -> Iterator[None]:
    own = json.dumps({"holder": uuid.uuid4().hex, "pid": os.getpid(), "at": time.time()}).encode()
    for _ in _attempts(storage, name, wait_s):
        if storage.create(name, own):
            break
        with contextlib.suppress(FileNotFoundError):
            if time.time() - json.loads(storage.read(name))["at"] > expiry_s:
                storage.remove(name)
    try:
        yield
    finally:
        if storage.read_if_present(name) == own:  # Otherwise it has expired, and another process holds it.
            storage.remove(name)


def _attempts(storage: Storage, name: str, wait_s: float) -> Iterator[int]:
    end = time.monotonic() + wait_s
    number = 0
    while True:
        yield number
        if time.monotonic() > end:
            raise LockedError(
                f"{storage.uri}: another process has held the lock {name} for {wait_s:.0f} s: wait until that process has ended"
            )
        time.sleep(_POLL_S)
        number += 1
