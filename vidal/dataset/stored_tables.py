"""Reads the tables that the stages have stored for a shard. A commit needs each table several times, but reads it only once."""

from __future__ import annotations

from typing import NamedTuple

from vidal.pipeline.stage import Part
from vidal.storage import layout
from vidal.storage.storage import Storage
from vidal.storage.tables import table_metadata

_KEYS = ("clip_id", "candidate_id")


def stored_files(storage: Storage, stages: list[str], parts: list[Part]) -> list[str]:
    """Returns the names of the tables and ledgers that `stages` have stored for `parts`, the parts of one shard.

    Results of records that no longer reach a stage are kept in separate files. The separate files of the shard are listed too, even those
    of stages that are not in `stages`.
    """
    places = [(stage, part.shard, part.index) for stage in stages for part in parts]
    names = [name(*place) for place in places for name in (layout.part_table, layout.part_ledger)]
    for stage in storage.names(layout.RETAINED):
        folder = layout.retained(layout.stage_folder(stage, parts[0].shard))
        names += [f"{folder}/{name}" for name in storage.names(folder) if name.endswith(".parquet")]
    return names


class _Table(NamedTuple):
    ids: dict[str, list[str]]
    metadata: dict[str, str]


class StoredTables:
    """The ids and the metadata in the stored tables of a shard. Each table is read once. parts: the parts of the shard."""

    def __init__(self, storage: Storage, parts: list[Part]):
        self._storage, self._parts = storage, parts
        self._tables: dict[str, _Table] = {}

    def ids(self, stage: str, column: str) -> set[str]:
        """Returns the ids in a column of the stage's tables."""
        names = [layout.part_table(stage, part.shard, part.index) for part in self._parts]
        return {id_ for name in names for id_ in self._table(name).ids[column]}

    def metadata(self, name: str) -> dict[str, str]:
        """Returns the metadata of a table of the shard. name: the path of its file in the dataset."""
        return self._table(name).metadata

    def _table(self, name: str) -> _Table:
        if name not in self._tables:
            table = self._storage.read_table(name)
            ids = {key: table.column(key).to_pylist() for key in _KEYS if key in table.column_names}
            self._tables[name] = _Table(ids, table_metadata(table.schema))
        return self._tables[name]
