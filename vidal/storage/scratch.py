"""Creates temporary folders, and removes the temporary folders of killed processes.

A process looks for such folders once, before it creates its first folder. Several machines may share one temporary directory. A process
removes only folders of its own machine. The name of a folder contains the machine and the id of the process that created the folder.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

_HOST = re.sub(r"[^A-Za-z0-9.]", "", socket.gethostname())
_NAME = re.compile(rf"vidal-[a-z]+-{re.escape(_HOST)}-(\d+)-.+")


def create(kind: str) -> Path:
    """Creates a folder, which the caller removes. kind: a word that its name contains, such as "media"."""
    _remove_orphans(os.getpid(), tempfile.gettempdir())
    return Path(tempfile.mkdtemp(prefix=f"vidal-{kind}-{_HOST}-{os.getpid()}-"))


@contextlib.contextmanager
def folder(kind: str) -> Iterator[Path]:
    """Yields a folder, and removes it on leaving the context. kind: a word that its name contains, such as "media"."""
    path = create(kind)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@functools.cache
def _remove_orphans(pid: int, place: str) -> None:
    """Looks in `place` for folders that processes of this machine created. If such a process has ended, removes its folders.

    pid: the id of this process. Calls are cached, so a second call with the same arguments does nothing. A forked process inherits the
    cache, but has another pid, so its first call is not skipped.
    """
    for path in Path(place).glob("vidal-*"):
        owner = _NAME.fullmatch(path.name)
        if owner and not _is_alive(int(owner[1])):
            shutil.rmtree(path, ignore_errors=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # The process exists, but belongs to another user.
    return True
