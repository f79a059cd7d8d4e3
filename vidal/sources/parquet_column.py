"""Reads media from a column of Parquet tables.

The column holds bytes, {bytes, path} as Hugging Face's library `datasets` writes them, or paths relative to the folder of the table.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq

from vidal.config.recipe import Recipe
from vidal.sources.catalogue_files import ListedRow
from vidal.sources.media_cells import holds_bytes, media_column
from vidal.sources.originals import Originals, StoredFile
from vidal.sources.row_groups import RowGroups
from vidal.sources.table_column import TableColumn, TableSettings

NAME = "parquet"
_ROWS = 1_000


class ParquetSettings(TableSettings):
    """Tables with a column of media: one table, all that match a glob, or all in a folder, bucket or dataset of the Hugging Face hub."""

    source: str = NAME
    """Name of the source."""


class ParquetColumn(TableColumn):
    """A collection whose media are in a column of Parquet tables, which are read one row group at a time."""

    settings, name, ending = ParquetSettings, NAME, ".parquet"

    def __init__(self, settings: ParquetSettings, recipe: Recipe):
        super().__init__(settings, recipe)
        self._groups = RowGroups(recipe.crawl.max_bytes)

    def close(self) -> None:
        self._groups.close()

    def _rows(self, originals: Originals, file: StoredFile) -> Iterator[tuple[int, int, str, ListedRow]]:
        with originals.open(file.name) as opened, pq.ParquetFile(opened, pre_buffer=False) as parquet:
            column = media_column(parquet.schema_arrow, self._media)
            for group in range(parquet.num_row_groups):
                for number, row in enumerate(_rows_of(parquet, group)):
                    yield group, number, column, row

    def _read_cell(self, originals: Originals, name: str, place: tuple[int, int], target: Path) -> str:
        table = originals.location(name)
        return self._groups.cell(table, lambda: originals.open(name), self._media, *place, target)


def _rows_of(table: pq.ParquetFile, group: int) -> Iterator[ListedRow]:
    """Yields the rows of a row group without their columns of media bytes, which are not read. A column of paths is included."""
    names = [field.name for field in table.schema_arrow if not holds_bytes(field.type)]
    if not names:
        yield from ({} for _ in range(table.metadata.row_group(group).num_rows))
        return
    for batch in table.iter_batches(_ROWS, row_groups=[group], columns=names, use_threads=False):
        yield from batch.to_pylist()
