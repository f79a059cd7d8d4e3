"""Files that have arrived, kept for a while: the spans of one video stand one after the other, and it is fetched once."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from vidal.sources.source import Fetched

_PREFIX = "vidal-fetched-"
_FOLDER = re.compile(rf"{_PREFIX}(\d+)-.+")


@dataclass
class _Copy:
    folder: Path
    lock: threading.Lock = field(default_factory=threading.Lock)
    result: tuple[Fetched, int] | None = None
    users: int = 0


class Copies:
    """At most `kept` files beside those in use. What fails is not remembered: the next span tries again."""

    def __init__(self, kept: int):
        self._kept = kept
        _sweep()
        self._copies: OrderedDict[str, _Copy] = OrderedDict()
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def of(self, address: str, fetch: Callable[[Path], tuple[Fetched, int]]) -> Iterator[tuple[Fetched, int]]:
        """The file of an address, fetched into an empty folder by the first who asks while the others wait."""
        with self._lock:
            copy = self._copies.get(address) or _Copy(Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-")))
            self._copies[address] = copy
            self._copies.move_to_end(address)
            copy.users += 1
        try:
            with copy.lock:
                if copy.result is None:
                    copy.result = fetch(copy.folder)
            yield copy.result
        finally:
            self._leave(address, copy)

    def close(self) -> None:
        """Removes the files that nobody uses now, and keeps none of those that are still used."""
        with self._lock:
            self._kept = 0
            self._remove_idle()

    def _leave(self, address: str, copy: _Copy) -> None:
        with self._lock:
            copy.users -= 1
            self._remove_idle()

    def _remove_idle(self) -> None:
        idle = [name for name, each in self._copies.items() if not each.users]
        failed = [name for name in idle if self._copies[name].result is None]
        for name in {*failed, *idle[: max(0, len(idle) - self._kept)]}:
            shutil.rmtree(self._copies.pop(name).folder, ignore_errors=True)


def _sweep() -> None:
    """Removes what processes that live no more have left: one that is killed cannot tidy up."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        owner = _FOLDER.fullmatch(folder.name)
        if owner and not _lives(int(owner[1])):
            shutil.rmtree(folder, ignore_errors=True)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # Another user's.
    return True
