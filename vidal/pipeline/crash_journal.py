"""The crash journal names the records that a worker is processing, so that a record that kills the worker can be found.

At first, all records of a part are written to the journal at once. If the worker dies, a crash is counted for each of them. They are
then processed one by one, and each is written when its processing begins. So only the record that kills the worker collects further
crashes.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypedDict

from vidal.storage.storage import Storage


class _Entry(TypedDict):
    run_id: str
    trying: list[str]
    crashes: dict[str, int]


class CrashJournal:
    """The journal of one part, in one file. Only crashes of the current run are counted.

    crashed: whether an earlier worker of this run died while it processed the part. Set by `begin`.
    """

    def __init__(self, storage: Storage, name: str, run_id: str):
        self._storage, self._name, self._run_id = storage, name, run_id
        self.lock = threading.RLock()
        self._trying: set[str] = set()
        self._crashes: dict[str, int] = {}
        self.crashed = False

    def begin(self, keys: Iterable[str]) -> None:
        """Starts the journal before the records of the part are processed, and sets `crashed`.

        All keys are written at once. But if a worker of this run has crashed on the part, each key is written when the processing of
        its record begins.
        """
        self._trying = set(keys)
        if self._storage.create(self._name, self._entry()):
            return
        self.crashed = self._read()
        if self.crashed:
            self._trying.clear()
        else:
            self._write()

    def _read(self) -> bool:
        """Reads the existing journal. Returns whether it belongs to this run."""
        content = self._storage.read_if_present(self._name)
        entry: _Entry | None = json.loads(content) if content else None
        if entry is None or entry["run_id"] != self._run_id:  # A run that was stopped leaves a journal too.
            return False
        self._crashes = entry["crashes"]
        for key in entry["trying"]:
            self._crashes[key] = self._crashes.get(key, 0) + 1
        return True

    def crashes(self, key: str) -> int:
        return self._crashes.get(key, 0)

    def trying(self, key: str) -> _Trying:
        return _Trying(self, key)

    def mark(self, key: str, begins: bool) -> None:
        if not self.crashed:
            return
        with self.lock:
            (self._trying.add if begins else self._trying.discard)(key)
            if begins:
                self._write()

    def _write(self) -> None:
        self._storage.write(self._name, self._entry())

    def _entry(self) -> bytes:
        entry: _Entry = {"run_id": self._run_id, "trying": sorted(self._trying), "crashes": self._crashes}
        return json.dumps(entry).encode()

    def close(self) -> None:
        """Removes the journal: the worker is alive, so no record has crashed it."""
        self._storage.remove(self._name)


@dataclass(frozen=True)
class _Trying:
    journal: CrashJournal
    key: str

    def __enter__(self) -> None:
        self.journal.mark(self.key, begins=True)

    def __exit__(self, *_: object) -> None:
        self.journal.mark(self.key, begins=False)
