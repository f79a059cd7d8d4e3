"""Keeps recent downloads, so that a video is fetched only once if a catalogue lists several of its spans one after another."""

from __future__ import annotations

import contextlib
import shutil
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from vidal.sources.source import Fetched
from vidal.storage import scratch


@dataclass
class _Download:
    folder: Path
    lock: threading.Lock = field(default_factory=threading.Lock)
    result: tuple[Fetched, int] | None = None
    users: int = 0


class DownloadCache:
    """Keeps recent downloads, so that a video from which several clips are cut is downloaded only once.

    The downloads that are in use are kept, and at most `capacity` others. A download that failed is not kept.
    """

    def __init__(self, capacity: int):
        self._capacity = capacity
        self._downloads: OrderedDict[str, _Download] = OrderedDict()
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def borrow(self, address: str, fetch: Callable[[Path], tuple[Fetched, int]]) -> Iterator[tuple[Fetched, int]]:
        """Lends the download of an address. The first thread to ask for it fetches it while the others wait.

        fetch: gets a folder, which may hold partial files of a failed fetch; returns the download and the number of attempts. Both are
        yielded. Raises whatever fetch raises.
        """
        with self._lock:
            download = self._downloads.get(address) or _Download(scratch.create("fetched"))
            self._downloads[address] = download
            self._downloads.move_to_end(address)
            download.users += 1
        try:
            with download.lock:
                if download.result is None:
                    download.result = fetch(download.folder)
            yield download.result
        finally:
            self._give_back(download)

    def close(self) -> None:
        """Removes the downloads that are not in use. Each of the others is removed when its last user has finished."""
        with self._lock:
            self._capacity = 0
            self._remove_idle()

    def _give_back(self, download: _Download) -> None:
        with self._lock:
            download.users -= 1
            self._remove_idle()

    def _remove_idle(self) -> None:
        idle = [address for address, download in self._downloads.items() if not download.users]
        failed = [address for address in idle if self._downloads[address].result is None]
        for address in {*failed, *idle[: max(0, len(idle) - self._capacity)]}:
            shutil.rmtree(self._downloads.pop(address).folder, ignore_errors=True)
