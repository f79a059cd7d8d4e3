"""Readers of a user's own lists and captions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import fsspec
import pyarrow.parquet as pq

from vidal.errors import UserError
from vidal.terms.readers.files import FormatError, lines, locate
from vidal.terms.readers.formats import Tsv, fields, listed, strings_of
from vidal.terms.settings import Corpus

_BATCH_ROWS = 8192


def text(corpus: Corpus) -> Iterator[str]:
    """Reads one term per line; '#' begins a comment, also after a term."""
    for line in listed(corpus):
        yield line.partition("#")[0]


def csv(corpus: Corpus) -> Iterator[str]:
    """Reads the column `corpus.column` of a CSV file with a header."""
    yield from fields(corpus, _column(corpus))


def tsv(corpus: Corpus) -> Iterator[str]:
    """Reads the column `corpus.column` of a TSV file with a header. Quotation marks are ordinary characters."""
    yield from fields(corpus, _column(corpus), dialect=Tsv)


def jsonl(corpus: Corpus) -> Iterator[str]:
    """Reads texts from a file with a JSON object on each line. In an object, the value of one key is a text or a list of texts.

    The setting `column` of the corpus names the key. Raises FormatError if a line is not a JSON object, or if no object has the key.
    """
    column, has_column = _column(corpus), False
    for number, line in enumerate(lines(corpus), 1):
        if not line.strip():
            continue
        record = _object(line, number)
        has_column = has_column or column in record
        yield from strings_of(record.get(column))
    if not has_column:
        raise FormatError(f"no object has the key {column}")


def _object(line: str, number: int) -> dict[str, object]:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"line {number} is not JSON: {error}") from error
    if not isinstance(record, dict):
        raise FormatError(f"line {number} is not a JSON object")
    return record


def parquet(corpus: Corpus) -> Iterator[str]:
    """Reads the column `corpus.column`, which has texts or lists of texts, from Parquet files.

    corpus.path names one file, a folder whose .parquet files are all read, or a glob. Raises FormatError if a file lacks the column, or
    if the folder has no .parquet files.
    """
    column = _column(corpus)
    fs, names = _parquet_files(corpus)
    for name in names:
        with fs.open(name, "rb") as handle, pq.ParquetFile(handle) as file:
            if column not in file.schema_arrow.names:
                raise FormatError(f"no column {column}; the columns are: {', '.join(file.schema_arrow.names)}")
            for batch in file.iter_batches(_BATCH_ROWS, columns=[column], use_threads=False):
                for value in batch.column(0).to_pylist():
                    yield from strings_of(value)


def _parquet_files(corpus: Corpus) -> tuple[Any, list[str]]:
    try:
        fs, root = fsspec.core.url_to_fs(locate(corpus))
    except (ImportError, ValueError) as error:
        raise UserError(f"corpus {corpus.source}: {corpus.path}: cannot be opened: {error}") from error
    if fs.isfile(root):
        return fs, [root]
    if not fs.isdir(root):
        names = fs.glob(root)
        if not names:
            raise FileNotFoundError(root)
        return fs, sorted(names)
    names = [name for name in fs.find(root) if name.endswith(".parquet")]
    if not names:
        raise FormatError("the folder holds no .parquet files")
    return fs, sorted(names)


def _column(corpus: Corpus) -> str:
    if not corpus.column:
        raise UserError(f"corpus {corpus.source}: `column` is not set: set it to the name of the column with the texts")
    return corpus.column
