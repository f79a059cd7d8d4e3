"""Finds the files of a benchmark anywhere below a folder: annotations by their usual names, media by the id in their names."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from vidal.errors import UserError
from vidal.train.frames import EXTENSIONS

VIDEO = EXTENSIONS
SOUND = frozenset({".wav", ".flac", ".mp3", ".m4a", ".ogg", ".opus", ".aac"})
PICTURE = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})


def annotation(folder: Path, *names: str) -> Path:
    """Returns the path of the first of `names` that exists in the folder or below it. Raises UserError if none exists.

    names: file names, which may contain folders and *, in the order of preference.
    """
    for name in names:
        if (folder / name).is_file():
            return folder / name
        if paths := sorted(folder.rglob(name)):
            return paths[0]
    raise UserError(f"{folder} lacks {' or '.join(names)}: put the benchmark's own file there")


def optional(folder: Path, *names: str) -> Path | None:
    """Returns the path of the first of `names` that exists in the folder or below it; None if none exists.

    names: file names, which may contain folders and *, in the order of preference.
    """
    try:
        return annotation(folder, *names)
    except UserError:
        return None


def test_or_validation(folder: Path, test: tuple[str, ...], validation: tuple[str, ...]) -> tuple[Path, bool]:
    """Returns the annotation file of the test split and False; if there is none, that of the validation split and True.

    test, validation: file names of each split's annotation, in the order of preference; they may contain folders and *.
    Raises UserError if none of the files exists in the folder or below it.
    """
    if (path := optional(folder, *test)) is not None:
        return path, False
    return annotation(folder, *test, *validation), True


class Media:
    """The media files below a folder, by their names without extension. If several share a name, the first in sorted order counts."""

    def __init__(self, folder: Path, extensions: frozenset[str]):
        self._found: dict[str, Path] = {}
        for root, folders, names in os.walk(folder):
            folders.sort()
            for name in sorted(names):
                stem, extension = os.path.splitext(name)
                if extension.lower() in extensions:
                    self._found.setdefault(stem, Path(root) / name)

    def find(self, stems: Iterable[str]) -> Path | None:
        """Returns the file of the first of `stems` for which there is a file; None if there is none. stems: names without extension."""
        return next((self._found[stem] for stem in stems if stem in self._found), None)


def rows(
    path: Path, columns: tuple[str, ...] | None = None, comment: str = "\0", delimiter: str = ","
) -> Iterator[dict[str, str]]:
    """Yields the rows of a csv file, each as a dictionary by the names of the columns.

    columns: the names of the columns, if the file has no header. comment: lines that begin with this text are skipped. Raises UserError
    if the file cannot be read as csv, or if a row is too short.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            lines = (line for line in file if not line.startswith(comment))
            reader = csv.DictReader(
                lines, columns, skipinitialspace=True, restkey="_more", strict=True, delimiter=delimiter
            )
            for row in reader:
                if None in row.values():
                    raise UserError(
                        f"{path} line {reader.line_num} has fewer values than the table has columns "
                        f"({len(reader.fieldnames or [])}): use the published file unchanged"
                    )
                yield row
    except (csv.Error, UnicodeDecodeError, OSError) as error:
        raise UserError(f"{path} cannot be read as csv ({error}): use the published file unchanged") from error


def column(row: dict[str, str], path: Path, *names: str) -> str:
    """Returns the value of a row in a column that has different names in different tables.

    names: the possible names; the first one that the table has is used. Raises UserError if the table has none of these columns.
    """
    for name in names:
        if name in row:
            return row[name]
    raise UserError(
        f"{path} has no column {' or '.join(names)}, only {', '.join(row)}: use the published file unchanged"
    )


def parsed(path: Path) -> Any:
    """Returns the content of a JSON file. Raises UserError if it cannot be read."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read as JSON ({error}): use the published file unchanged") from error


def lines(path: Path) -> list[str]:
    """Returns the lines of a text file that are not empty. Raises UserError if it cannot be read."""
    try:
        return [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read as text ({error}): it must be a readable file in UTF-8") from error
