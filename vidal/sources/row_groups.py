"""Unpacks media from row groups of Parquet: one row cannot be read alone, so all rows of a group are kept on the local disk."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import pyarrow.parquet as pq

from vidal.errors import RecordError
from vidal.schema import Reason
from vidal.sources.media_cells import media_column, media_value
from vidal.storage import scratch
from vidal.storage.atomic_file import link_or_copy

# How many unpacked row groups are kept. Few are enough, because the parts of a build follow the order of the table.
_GROUPS_MAX = 2
_BUFFER = 2**20


@dataclass
class _Group:
    folder: Path
    lock: threading.Lock = field(default_factory=threading.Lock)
    paths: dict[int, str] = field(default_factory=dict)
    is_unpacked: bool = False
    is_removed: bool = False


class RowGroups:
    """Keeps the media of the last two row groups that were asked for. Safe to share between threads.

    max_bytes: the largest size of a media value, in bytes. For a larger value, `cell` raises RecordError(too_large).
    """

    def __init__(self, max_bytes: int):
        self._max_bytes = max_bytes
        self._folder: Path | None = None
        self._groups: OrderedDict[tuple[str, int], _Group] = OrderedDict()
        self._lock = threading.Lock()

    def cell(
        self, table: str, open_table: Callable[[], IO[bytes]], column: str | None, group: int, row: int, target: Path
    ) -> str:
        """Links or copies the media bytes of a row to `target`, and returns "". If the row has only a path, returns that path.

        table: the path or URI of the table. open_table: opens the table. column: the column of media, if the recipe names one.
        group: the number of the row group. row: the number of the row in the group. target: must not be changed later, because it may be
        a hard link to a file that this object keeps. Raises RecordError: empty_file if the row has neither bytes nor a path, too_large
        if it has more than max_bytes.
        """
        with self._locked(table, group) as unpacked:
            if not unpacked.is_unpacked:
                with open_table() as file:
                    self._unpack(unpacked, file, column, group)
            if row in unpacked.paths:
                return unpacked.paths[row]
            path = unpacked.folder / f"{row}.bin"
            where = f"{table}#{group}.{row}"
            if not path.exists():
                raise RecordError(Reason.EMPTY_FILE, f"{where}: the cell has neither media nor the path of a file")
            if path.stat().st_size > self._max_bytes:
                raise RecordError(
                    Reason.TOO_LARGE, f"{where} has more bytes than the {self._max_bytes} that crawl.max_bytes allows"
                )
            link_or_copy(path, target)
            return ""

    def close(self) -> None:
        with self._lock:
            self._groups.clear()
            if self._folder:
                shutil.rmtree(self._folder, ignore_errors=True)
                self._folder = None

    @contextlib.contextmanager
    def _locked(self, table: str, group: int) -> Iterator[_Group]:
        """Yields a row group with its lock held, so that no other thread removes its files meanwhile."""
        while True:
            unpacked = self._group(table, group)
            with unpacked.lock:
                if not unpacked.is_removed:  # Else another thread removed it before the lock was taken.
                    yield unpacked
                    return

    def _group(self, table: str, group: int) -> _Group:
        with self._lock:
            self._folder = self._folder or scratch.create("rows")
            key = (table, group)
            if key not in self._groups:
                self._groups[key] = _Group(Path(tempfile.mkdtemp(dir=self._folder)))
                while len(self._groups) > _GROUPS_MAX:
                    oldest = self._groups.popitem(last=False)[1]
                    with oldest.lock:
                        oldest.is_removed = True
                        shutil.rmtree(oldest.folder, ignore_errors=True)
            self._groups.move_to_end(key)
            return self._groups[key]

    def _unpack(self, unpacked: _Group, file: IO[bytes], column: str | None, group: int) -> None:
        with pq.ParquetFile(file, pre_buffer=False, buffer_size=_BUFFER) as table:
            name = media_column(table.schema_arrow, column)
            batches = table.iter_batches(1, row_groups=[group], columns=[name], use_threads=False)
            for row, batch in enumerate(batches):
                content, path = media_value(batch.column(0)[0])
                if content is not None:
                    (unpacked.folder / f"{row}.bin").write_bytes(content[: self._max_bytes + 1])
                elif path:
                    unpacked.paths[row] = path
        unpacked.is_unpacked = True
