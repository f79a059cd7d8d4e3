"""The crash journal: the records that a worker is processing. When a worker dies, its journal names the record that killed it."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass

from vidal.storage.storage import Storage


class CrashJournal:
    """The journal of one part, in one file. Only crashes within the same run count, so that stopping a run blames no record."""

    def __init__(self, storage: Storage, name: str, run_id: str):
        self._storage, self._name, self._run_id = storage, name, run_id
        self.lock = threading.RLock()
        self._trying: set[str] = set()
        self._crashes = self._left_behind()

    def _left_behind(self) -> dict[str, int]:
        if not self._storage.exists(self._name):
            return {}
        entry = json.loads(self._storage.read(self._name))
        if entry["run_id"] != self._run_id:
            return {}
        crashes: dict[str, int] = entry["crashes"]
        for key in entry["trying"]:
            crashes[key] = crashes.get(key, 0) + 1
        return crashes

    @property
    def crashed(self) -> bool:
        return bool(self._crashes)

    def crashes(self, key: str) -> int:
        return self._crashes.get(key, 0)

    def trying(self, key: str) -> _Trying:
        return _Trying(self, key)

    def mark(self, key: str, begins: bool) -> None:
        with self.lock:
            (self._trying.add if begins else self._trying.discard)(key)
            if begins:
                state = {"run_id": self._run_id, "trying": sorted(self._trying), "crashes": self._crashes}
                self._storage.write(self._name, json.dumps(state).encode())

    def close(self) -> None:
        self._storage.remove(self._name)


@dataclass(frozen=True)
class _Trying:
    journal: CrashJournal
    key: str

    def __enter__(self) -> None:
        self.journal.mark(self.key, begins=True)

    def __exit__(self, *_: object) -> None:
        self.journal.mark(self.key, begins=False)
