"""Keeps the tables that this process has read or written lately. So stages that share the process need not read them again.

It does no harm if another process replaces a table meanwhile. Each result records the hashes of the tables that it was computed from. If
one of these tables has changed, the result is computed again.
"""

from __future__ import annotations

import threading
from collections import OrderedDict

import pyarrow as pa

from vidal.storage.storage import Storage

# A worker processes one part after another, and a part has a table for each stage.
_TABLES_MAX, _BYTES_MAX = 64, 64 * 2**20


class RecentTables:
    """A limited number of tables of one run, by name. The least recently used are dropped. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tables: OrderedDict[tuple[str, str], pa.Table] = OrderedDict()
        self._run_id = ""

    def read(self, storage: Storage, name: str, run_id: str) -> pa.Table:
        with self._lock:
            self._begin(run_id)
            if (table := self._tables.get((storage.uri, name))) is not None:
                self._tables.move_to_end((storage.uri, name))
                return table
        table = storage.read_table(name)
        self.keep(storage, name, run_id, table)
        return table

    def keep(self, storage: Storage, name: str, run_id: str, table: pa.Table) -> None:
        """Keeps a table that was just read or written. table: with its metadata, as the storage returns it."""
        with self._lock:
            self._begin(run_id)
            self._tables[storage.uri, name] = table
            while len(self._tables) > _TABLES_MAX or sum(each.nbytes for each in self._tables.values()) > _BYTES_MAX:
                self._tables.popitem(last=False)

    def forget(self, storage: Storage, name: str) -> None:
        """Forgets a table that has been replaced."""
        with self._lock:
            self._tables.pop((storage.uri, name), None)

    def _begin(self, run_id: str) -> None:
        if run_id != self._run_id:
            self._tables.clear()
            self._run_id = run_id


RECENT = RecentTables()
