"""The base of collections whose media are in a column of tables: bytes, {bytes, path}, or paths of files beside the table."""

from __future__ import annotations

import posixpath
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import pyarrow as pa

from vidal.config.recipe import Recipe
from vidal.errors import RecordError, UserError
from vidal.records import Candidate
from vidal.schema import Reason
from vidal.sources.catalogue_files import ListedRow, trimmed
from vidal.sources.collection import listing_sha256
from vidal.sources.file_patterns import files_of
from vidal.sources.listed_values import RowError
from vidal.sources.listing import RefusedRow, count_of
from vidal.sources.originals import Originals, StoredFile
from vidal.sources.settings import CollectionSettings
from vidal.sources.sidecars import listed_media, rename
from vidal.sources.source import Fetched

if TYPE_CHECKING:
    from hashlib import _Hash

# The place of a cell, TABLE#GROUP.ROW: its table, its group of rows (groups are read one at a time), and its row in this group.
_LOCATION = re.compile(r"(.+)#(\d+)\.(\d+)", re.S)


class TableSettings(CollectionSettings):
    """Tables with a column of media: one table, all that match a glob, or all in a folder."""

    media: str | None = None
    """Column with the media. `null` uses the first column with bytes. If there is none, it uses a column of paths with a name such as
    `video`."""


class TableColumn(ABC):
    """A collection whose media are in a column of tables. A path in a cell must lead to a file beside or below its table.

    name: the name of the source; ending: the file extension of its tables, with the dot.
    """

    settings: ClassVar[type[CollectionSettings]]
    name: ClassVar[str]
    ending: ClassVar[str]

    def __init__(self, settings: TableSettings, recipe: Recipe):
        self._uri, self._media, self._columns = settings.uri, settings.media, recipe.columns
        self._max_bytes = recipe.crawl.max_bytes
        self.where = f"tables {settings.uri}"

    def stamp(self) -> list[str]:
        return [f"{file.name} {file.size} {file.version}" for file in self._files()[1]]

    def check(self) -> None:
        self._files()

    def extent(self) -> str:
        return count_of(len(self._files()[1]), "table")

    def sha256(self) -> str:
        return listing_sha256(self)

    def candidates(self, digest: _Hash) -> Iterator[Candidate | RefusedRow]:
        originals, files = self._files()
        for file in files:
            try:
                for group, number, column, row in self._rows(originals, file):
                    digest.update(f"{file.name}\0{group}\0{row}".encode("utf-8", "surrogateescape"))
                    place = f"{originals.location(file.name)}#{group}.{number}"
                    yield from listed_media(self.name, place, self._described(row, column))
            except (pa.ArrowException, OSError, RecordError) as error:
                raise UserError(f"{originals.location(file.name)}: cannot be read: {error}") from error

    def remarks(self) -> list[str]:
        return []

    def describe(self, candidate: Candidate) -> Candidate:
        return candidate

    def fetch(self, candidate: Candidate, folder: Path) -> Fetched:
        place = _LOCATION.fullmatch(candidate["media_url"] or "")
        if not place:
            raise RecordError(
                Reason.UNREADABLE_FILE,
                f"media_url must have the form TABLE#GROUP.ROW, but is {candidate['media_url']}",
            )
        target = folder / "media.bin"
        parent, _, name = place[1].rpartition("/")
        table = Originals(parent)
        path = self._read_cell(table, name, (int(place[2]), int(place[3])), target)
        try:
            return Fetched(table.copy(_beside(path), target, self._max_bytes) if path else target)
        except RowError as error:
            raise RecordError(Reason.UNREADABLE_FILE, str(error)) from error

    @abstractmethod
    def close(self) -> None:
        """Removes temporary files."""

    @abstractmethod
    def _rows(self, originals: Originals, file: StoredFile) -> Iterator[tuple[int, int, str, ListedRow]]:
        """Yields each row of a table as (number of its row group, number of the row in the group, name of the media column, row).

        The bytes of the media are not in the row, and are not read.
        """

    @abstractmethod
    def _read_cell(self, originals: Originals, name: str, place: tuple[int, int], target: Path) -> str:
        """Writes the bytes of a cell to `target` and returns "", or returns the cell's path if it has no bytes. Raises RecordError.

        name: the name of the table; place: the group of rows, and the number of the row in the group.
        """

    def _files(self) -> tuple[Originals, list[StoredFile]]:
        return files_of(self._uri, self.ending)

    def _described(self, row: ListedRow, column: str) -> ListedRow | RowError:
        """Returns the row under vidal's column names, without its media.

        Returns a RowError if the row cannot be used, for example if its media are a path outside the folder of the table.
        """
        try:
            path = row.pop(column, None)
            if path is not None:
                _beside(str(path))
            return rename(trimmed(row), self._columns)
        except RowError as error:
            return error


def _beside(path: str) -> str:
    """Returns the path in a cell in normalised form. It must be relative to the table's folder.

    Raises RowError for a URI, or for a path that leads out of the folder, because a table may be hostile.
    """
    name = posixpath.normpath(path.removeprefix("./"))
    if name.startswith(("/", "..")) or "://" in path:
        raise RowError(
            f"{path[:200]!r} is not the path of a file beside the table; for a list of addresses, use --catalogue"
        )
    return name
