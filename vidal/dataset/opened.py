"""A dataset opened from Python: its rows, its ledger, its media."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pyarrow as pa

from vidal.dataset.dataset_file import read_dataset_or_fail
from vidal.records import ManifestRow, rows_of
from vidal.storage import layout
from vidal.storage.storage import Storage, absolute_uri

if TYPE_CHECKING:
    import pandas as pd


class Dataset:
    """A built dataset, opened for reading. `len(dataset)` is the number of clips; iterating yields rows, one shard at a time.

    shards: numbers of the committed shards. Nothing is cached: the next call sees a shard that is committed meanwhile.
    """

    def __init__(self, out: str):
        self._storage = Storage(absolute_uri(out))
        read_dataset_or_fail(self._storage)

    @property
    def uri(self) -> str:
        return self._storage.uri

    @property
    def shards(self) -> list[int]:
        return layout.shards_in(self._storage.names(""))

    def table(self, columns: list[str] | None = None) -> pa.Table:
        """Returns the manifest rows of all shards. columns: returns only these; None returns all."""
        return pa.concat_tables(self._storage.read_table(layout.manifest(shard), columns) for shard in self.shards)

    def to_pandas(self, columns: list[str] | None = None) -> pd.DataFrame:
        frame: pd.DataFrame = self.table(columns).to_pandas()
        return frame

    def ledger(self) -> pa.Table:
        """Returns one row for every candidate, clip and view, with its outcome and the reason; docs/columns.md has the columns."""
        return pa.concat_tables(self._storage.read_table(layout.ledger(shard)) for shard in self.shards)

    def read(self, path: str) -> bytes:
        """Returns the bytes of a file that a row names, for example `dataset.read(row["frame_paths"][0])`.

        Raises FileNotFoundError if there is no such file.
        """
        return self._storage.read(path)

    def __iter__(self) -> Iterator[ManifestRow]:
        for shard in self.shards:
            yield from rows_of(self._storage.read_table(layout.manifest(shard)), ManifestRow)

    def __len__(self) -> int:
        return sum(self._storage.read_table(layout.manifest(shard), ["clip_id"]).num_rows for shard in self.shards)

    def __repr__(self) -> str:
        return f"vidal.open({self.uri!r})"


def open_dataset(out: str) -> Dataset:
    """Opens a dataset: a folder or a URI. Raises UserError if it is not a vidal dataset."""
    return Dataset(out)
