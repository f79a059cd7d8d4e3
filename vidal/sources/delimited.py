"""Reads rows of csv and tsv. Refuses a row with too many cells, because they may be in the wrong columns.

A quote that is never closed affects only its own line.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator
from typing import IO

from vidal.sources.listed_values import RowError

# The longest cell, in characters. A quote that is not closed swallows no more than this before its line is refused.
_CELL_MAX = 2**20


def delimited_rows(text: IO[str], delimiter: str) -> Iterator[dict[str, str] | RowError]:
    """Yields each row as cells by column name, or a RowError if it cannot be read. Blank rows and unnamed columns are left out.

    Raises ValueError for a header with the same name twice.
    """
    csv.field_size_limit(_CELL_MAX)
    lines = _Lines(text)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    names = [name.strip().lstrip("\ufeff").strip() for name in next(reader, [])]
    if twice := [name for name in names if name and names.count(name) > 1]:
        raise ValueError(f"two columns are called {twice[0]!r}: rename one")
    while True:
        lines.row.clear()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            line = lines.read_others_again()
            if delimiter == ",":
                yield RowError(f"its quotes are wrong ({error}): close each, and write a quote inside a text twice")
                continue
            # Many programs write tsv without quoting: there a quote is an ordinary character.
            cells = next(csv.reader([line], delimiter=delimiter, quoting=csv.QUOTE_NONE))
        if any(cell and not cell.isspace() for cell in cells):
            yield _row(names, cells)


def _row(names: list[str], cells: list[str]) -> dict[str, str] | RowError:
    count = len(names)
    if len(cells) > count:
        if any(cell.strip() for cell in cells[count:]):
            return RowError(
                f"the row has {len(cells)} cells, but the list has {count} columns: put quotes around texts that hold delimiters"
            )
        cells = cells[:count]
    elif len(cells) < count:
        cells = [*cells, *[""] * (count - len(cells))]
    row = dict(zip(names, cells, strict=True))
    row.pop("", None)
    return row


class _Lines:
    """Yields the lines of a text. After a row that cannot be read, it can go back to the second line of this row.

    row: the lines of the current row so far.
    """

    def __init__(self, text: IO[str]):
        self._text = text
        self._again: deque[str] = deque()
        self.row: list[str] = []

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._text)
        self.row.append(line)
        return line

    def read_others_again(self) -> str:
        """Returns the first line of the current row. Puts its other lines back, so that each is read as a new row."""
        first, *others = self.row
        self._again.extendleft(reversed(others))
        return first
