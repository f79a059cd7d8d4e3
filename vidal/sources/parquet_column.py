"""Media in a column of Parquet: bytes, {bytes, path} as the datasets library writes them, or paths of files beside the table."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from vidal.config.recipe import Recipe
from vidal.errors import RecordError, UserError
from vidal.records import Candidate
from vidal.schema import Reason
from vidal.sources.catalogue_files import ListedRow, trimmed
from vidal.sources.collection import listing_sha256
from vidal.sources.file_patterns import files_of
from vidal.sources.listed_values import RowError
from vidal.sources.listing import RefusedRow, count_of
from vidal.sources.media_cells import holds_bytes, media_column
from vidal.sources.originals import Originals, StoredFile
from vidal.sources.row_groups import RowGroups
from vidal.sources.settings import CollectionSettings
from vidal.sources.sidecars import listed_media, rename
from vidal.sources.source import Fetched
from vidal.storage.atomic_file import link_or_copy

if TYPE_CHECKING:
    from hashlib import _Hash

NAME = "parquet"
# The place of a cell: its table, row group and row.
_LOCATION = re.compile(r"(.+)#(\d+)\.(\d+)", re.S)
_ROWS = 1_000


class ParquetSettings(CollectionSettings):
    """Tables with a column of media: one, those of a glob, or all in a folder or bucket, such as a dataset of the Hugging Face hub."""

    source: str = NAME
    """The name of this source."""
    media: str | None = None
    """The column of media; null means the first with bytes, or else one with paths."""


class ParquetColumn:
    """The tables as a listing and as a source of media. A path must lead to a file beside or below its table."""

    settings = ParquetSettings

    def __init__(self, settings: ParquetSettings, recipe: Recipe):
        self._uri, self._media, self._columns = settings.uri, settings.media, recipe.columns
        self._max_bytes = recipe.crawl.max_bytes
        self._groups = RowGroups(recipe.crawl.max_bytes)
        self.where = f"tables {settings.uri}"

    def stamp(self) -> list[str]:
        _, files = files_of(self._uri, ".parquet")
        return [f"{file.name} {file.size} {file.version}" for file in files]

    def check(self) -> None:
        files_of(self._uri, ".parquet")

    def extent(self) -> str:
        return count_of(len(files_of(self._uri, ".parquet")[1]), "table")

    def sha256(self) -> str:
        return listing_sha256(self)

    def candidates(self, digest: _Hash) -> Iterator[Candidate | RefusedRow]:
        originals, files = files_of(self._uri, ".parquet")
        for file in files:
            try:
                yield from self._candidates_in(originals, file, digest)
            except (pa.ArrowException, OSError, RecordError) as error:
                raise UserError(f"{originals.location(file.name)}: cannot be read: {error}") from error

    def remarks(self) -> list[str]:
        return []

    def describe(self, candidate: Candidate) -> Candidate:
        return candidate

    def fetch(self, candidate: Candidate, folder: Path) -> Fetched:
        place = _LOCATION.fullmatch(candidate["media_url"] or "")
        if not place:
            raise RecordError(Reason.UNREADABLE_FILE, f"{candidate['media_url']}: is not in a table")
        target = folder / "media.bin"
        parent, _, name = place[1].rpartition("/")
        table = Originals(parent)
        cell = self._groups.cell(place[1], lambda: table.open(name), self._media, int(place[2]), int(place[3]))
        if isinstance(cell, Path):
            link_or_copy(cell, target)
            return Fetched(target)
        try:
            return Fetched(table.copy(_beside(cell), target, self._max_bytes))
        except RowError as error:
            raise RecordError(Reason.UNREADABLE_FILE, str(error)) from error

    def close(self) -> None:
        self._groups.close()

    def _candidates_in(self, originals: Originals, file: StoredFile, digest: _Hash) -> Iterator[Candidate | RefusedRow]:
        table = originals.location(file.name)
        with originals.open(file.name) as opened, pq.ParquetFile(opened, pre_buffer=False) as parquet:
            column = media_column(parquet.schema_arrow, self._media)
            for group in range(parquet.num_row_groups):
                for number, row in enumerate(_rows(parquet, group, column)):
                    digest.update(f"{file.name}\0{group}\0{row}".encode("utf-8", "surrogateescape"))
                    yield from listed_media(NAME, f"{table}#{group}.{number}", self._described(row, column))

    def _described(self, row: ListedRow, column: str) -> ListedRow | RowError:
        """Returns what a row says of its media. A path is checked here, so that the ledger says at once what is wrong with it."""
        try:
            path = row.pop(column, None)
            if path is not None:
                _beside(str(path))
            return rename(trimmed(row), self._columns)
        except RowError as error:
            return error


def _rows(table: pq.ParquetFile, group: int, media: str) -> Iterator[ListedRow]:
    """Yields the rows of a row group without bytes: their cells are not read. A column of paths is read."""
    names = [field.name for field in table.schema_arrow if not holds_bytes(field.type)]
    if not names:
        yield from ({} for _ in range(table.metadata.row_group(group).num_rows))
        return
    for batch in table.iter_batches(_ROWS, row_groups=[group], columns=names, use_threads=False):
        yield from batch.to_pylist()


def _beside(path: str) -> str:
    """Returns a path relative to its table. Raises RowError for one that leads elsewhere, because tables come from the internet too."""
    name = posixpath.normpath(path.removeprefix("./"))
    if name.startswith(("/", "..")) or "://" in path:
        raise RowError(
            f"{path[:200]!r} must be the path of a file beside the table; --catalogue reads lists of addresses"
        )
    return name
