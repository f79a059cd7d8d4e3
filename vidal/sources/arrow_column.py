"""Media in a column of Arrow files. For example, `save_to_disk` writes such files (Hugging Face's library `datasets`)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from vidal.errors import RecordError, UserError
from vidal.schema import Reason
from vidal.sources.arrow_files import open_arrow
from vidal.sources.catalogue_files import ListedRow
from vidal.sources.media_cells import holds_bytes, media_column, media_value
from vidal.sources.originals import Originals, StoredFile
from vidal.sources.table_column import TableColumn, TableSettings

NAME = "arrow"
# The datasets library caches results beside its data, in files whose names begin with this.
_CACHES = "cache-"


class ArrowSettings(TableSettings):
    """Local Arrow files with a column of media: one file, all that match a glob, or all in a folder (as save_to_disk writes them)."""

    source: str = NAME
    """Name of the source."""


class ArrowColumn(TableColumn):
    """A collection whose media are in a column of Arrow files. A cell is identified by its file, record batch and row."""

    settings, name, ending = ArrowSettings, NAME, ".arrow"

    def close(self) -> None:
        """Does nothing: there are no temporary files."""

    def _files(self) -> tuple[Originals, list[StoredFile]]:
        originals, files = super()._files()
        if not originals.is_local:
            raise UserError(
                f"{self._uri}: Arrow files can only be read from a local disk: copy them to one, or write them with "
                "datasets.Dataset.to_parquet and set collection.source to parquet"
            )
        return originals, [file for file in files if not file.name.rpartition("/")[2].startswith(_CACHES)]

    def _rows(self, originals: Originals, file: StoredFile) -> Iterator[tuple[int, int, str, ListedRow]]:
        with originals.open(file.name), open_arrow(Path(originals.location(file.name))) as table:
            column = media_column(table.schema, self._media)
            names = [field.name for field in table.schema if not holds_bytes(field.type)]
            for group, batch in table.batches(names):
                rows = batch.to_pylist() if names else [{} for _ in range(batch.num_rows)]
                yield from ((group, number, column, row) for number, row in enumerate(rows))

    def _read_cell(self, originals: Originals, name: str, place: tuple[int, int], target: Path) -> str:
        group, row = place
        where = f"{originals.location(name)}#{group}.{row}"
        try:
            with originals.open(name), open_arrow(Path(originals.location(name))) as table:
                column = media_column(table.schema, self._media)
                content, path = media_value(table.batch(group, [column]).column(0)[row])
                if content is None:
                    return _path_of(path, where)
                if len(content) > self._max_bytes:
                    raise RecordError(
                        Reason.TOO_LARGE,
                        f"{where} has {len(content)} bytes, more than the {self._max_bytes} that crawl.max_bytes allows",
                    )
                target.write_bytes(content)
        except (pa.ArrowException, IndexError, OSError, ValueError) as error:
            raise RecordError(Reason.UNREADABLE_FILE, f"{where}: {error}") from error
        return ""


def _path_of(path: str, where: str) -> str:
    if not path:
        raise RecordError(Reason.EMPTY_FILE, f"{where}: the cell has neither media nor the path of a file")
    return path
