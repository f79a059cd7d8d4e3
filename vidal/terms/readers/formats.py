"""Reads the formats of corpus files: plain lists, rows of CSV, strings of JSON. All are streamed."""

from __future__ import annotations

import csv
import textwrap
from collections.abc import Iterable, Iterator
from typing import Any

import ijson

from vidal.terms.readers.files import LINE_CHARS_MAX, FormatError, extension, lines, open_json
from vidal.terms.settings import Corpus

_STRUCTURED = (".csv", ".json", ".jsonl", ".parquet", ".tsv")


def plain(corpus: Corpus) -> Iterator[str]:
    """Yields one name per line. Only a line that begins with '#' is a comment, because names may contain a '#' ("C#")."""
    for line in listed(corpus):
        name = line.strip()
        if name and not name.startswith("#"):
            yield name


def listed(corpus: Corpus) -> Iterator[str]:
    """Yields the lines of a list. Raises FormatError for a file with the extension of a table or of JSON: its lines are not names."""
    if extension(corpus) in _STRUCTURED:
        raise FormatError(f"a {extension(corpus)} file is not a list with one name per line")
    yield from lines(corpus)


class Tsv(csv.excel_tab):
    """Reads a quote as an ordinary character (IANA text/tab-separated-values), so that a caption may begin with a quote."""

    quoting = csv.QUOTE_NONE


def rows(corpus: Corpus, dialect: type[csv.Dialect] = csv.excel) -> Iterator[list[str]]:
    """Yields the rows of a CSV file (RFC 4180), but no empty rows. For a TSV file, pass the dialect Tsv.

    Raises FormatError if the file is malformed, for example if a quote in a CSV file is never closed.
    """
    csv.field_size_limit(max(csv.field_size_limit(), LINE_CHARS_MAX))
    reader = csv.reader(lines(corpus), dialect, strict=True)
    try:
        yield from filter(None, reader)
    except csv.Error as error:
        raise FormatError(f"line {reader.line_num}: {error}") from error


def fields(corpus: Corpus, *columns: str, dialect: type[csv.Dialect] = csv.excel) -> Iterator[str]:
    """Yields the values of these columns, row by row. A column that the header lacks is skipped.

    Raises FormatError if the header has none of the columns.
    """
    table = rows(corpus, dialect)
    header = [name.strip() for name in next(table, [])]
    wanted = [header.index(column) for column in columns if column in header]
    if not wanted:
        names = textwrap.shorten(", ".join(header), 120) or "none"
        raise FormatError(f"no column {' or '.join(columns)}; the columns are: {names}")
    for row in table:
        yield from (row[index] for index in wanted if index < len(row))


def elements(corpus: Corpus, prefix: str) -> Iterator[Any]:
    """Yields the JSON values at an ijson prefix such as "annotations.item.caption". Raises FormatError for a file that is not JSON."""
    with open_json(corpus) as file:
        try:
            yield from ijson.items(file, prefix)
        except ijson.JSONError as error:
            raise _not_json(error) from error


def leaves(corpus: Corpus) -> Iterator[tuple[str, str, str]]:
    """Yields (top-level key, ijson prefix, text) for every text and number of a JSON file, without knowing its keys in advance."""
    key = ""
    with open_json(corpus) as file:
        try:
            for prefix, event, value in ijson.parse(file):
                if event == "map_key" and not prefix:
                    key = value
                elif event in ("string", "number"):
                    yield key, prefix, str(value)
        except ijson.JSONError as error:
            raise _not_json(error) from error


def strings(corpus: Corpus, prefix: str) -> Iterator[str]:
    for value in elements(corpus, prefix):
        yield from strings_of(value)


def strings_of(value: object) -> list[str]:
    """Returns [value] for a text, the texts of a list, and [] for any other value. Some corpora keep a clip's captions in one list."""
    values = value if isinstance(value, list) else [value]
    return [text for text in values if isinstance(text, str)]


def _not_json(error: ijson.JSONError) -> FormatError:
    # The parser's message is text or bytes. Its first line names the problem; the other lines draw where it is.
    message = error.args[0] if error.args else ""
    message = message.decode(errors="replace") if isinstance(message, bytes) else str(message)
    return FormatError(f"not JSON: {message.partition(chr(10))[0]}")


def distinct(texts: Iterable[str]) -> Iterator[str]:
    """Yields each text once, in order. Meant for files with one row per clip and few classes, because it keeps all texts in memory."""
    known: set[str] = set()
    for text in texts:
        if text not in known:
            known.add(text)
            yield text
