"""Reads the rows of a list of addresses from its files: csv, tsv, jsonl, Parquet or plain text, as a stream."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING, Any

import fsspec
import pyarrow.parquet as pq

from vidal.errors import UserError

if TYPE_CHECKING:
    from hashlib import _Hash

_PACKED = {".gz": "gzip", ".bz2": "bz2", ".xz": "xz", ".zst": "zstd"}
_BLOCK = 2**20
_PARQUET_ROWS = 10_000


# A row of a user's list, by the names of its columns: texts, or what Parquet and JSON hold.
ListedRow = dict[str, object]


class Catalogue:
    """The files of a catalogue: one file, or all files that match a glob, in the order of their names; local or on any store.

    where: the name of the catalogue in messages. Raises UserError if there is no file, or one of a kind that cannot be read.
    """

    def __init__(self, pattern: str):
        self.where = f"catalogue {pattern}"
        if _ending(pattern) not in _READERS:
            raise UserError(f"{self.where}: must end in {', '.join(sorted(_READERS))}, compressed or not")
        try:
            self._fs, path = fsspec.core.url_to_fs(pattern, use_listings_cache=False)
            is_glob = any(character in path for character in "*?[") and not self._fs.exists(path)
            self.paths: list[str] = sorted(self._fs.glob(path)) if is_glob else [path]
            present = [self._fs.isfile(each) for each in self.paths]
        except (OSError, ValueError, ImportError) as error:
            raise UserError(f"{self.where}: cannot be read: {_one_line(error)}") from error
        if not all(present) or not self.paths:
            raise UserError(f"{self.where}: no such file")

    def stamp(self) -> list[str]:
        """Returns values that change when a file is written again, without reading the files."""
        return [f"{path} {self._fs.ukey(path)}" for path in self.paths]

    def sha256(self) -> str:
        """Returns the hash of the bytes of all files, which are read once, in blocks."""
        digest = sha256()
        for path in self.paths:
            with self._fs.open(path, "rb") as file:
                while block := file.read(_BLOCK):
                    digest.update(block)
        return digest.hexdigest()

    def rows(self, digest: _Hash) -> Iterator[tuple[str, ListedRow]]:
        """Yields the place of each row, for messages, and the row by column names. digest: updated with the bytes of the files."""
        for path in self.paths:
            name = f", {path.rpartition('/')[2]}" if len(self.paths) > 1 else ""
            number = 0
            try:
                with self._fs.open(path, "rb") as file:
                    for number, row in enumerate(_READERS[_ending(path)](_Hashed(file, digest), path), start=1):
                        yield f"{self.where}{name}, row {number}", row
            except (ValueError, OSError, csv.Error, EOFError) as error:
                raise UserError(f"{self.where}{name}: cannot be read after row {number}: {_one_line(error)}") from error


class _Hashed(io.RawIOBase):
    """A file that updates a digest with its bytes, each once and in order, however the file is read."""

    def __init__(self, file: IO[bytes], digest: _Hash):
        self._file, self._digest = file, digest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        block = self._file.read(len(buffer))
        self._digest.update(block)
        buffer[: len(block)] = block
        return len(block)

    def drain(self) -> None:
        """Reads the bytes that a decoder has not read."""
        while self.read(_BLOCK):
            pass

    def rewound(self) -> IO[bytes]:
        """Returns the file from its beginning, for a reader that seeks."""
        self.drain()
        self._file.seek(0)
        return self._file


def _ending(path: str) -> str:
    suffixes = [suffix.lower() for suffix in PurePosixPath(path).suffixes]
    return suffixes[-2] if len(suffixes) > 1 and suffixes[-1] in _PACKED else (suffixes or [""])[-1]


def _text(file: _Hashed, path: str) -> Iterator[IO[str]]:
    """Yields the text of a file, which may be compressed and may begin with a byte order mark; then reads the rest of the file."""
    buffered: Any = io.BufferedReader(file, _BLOCK)
    if method := _PACKED.get(PurePosixPath(path).suffix.lower()):
        if method not in fsspec.compression.compr:
            raise ValueError(f"{method} needs the package zstandard: pip install zstandard")
        buffered = fsspec.compression.compr[method](buffered, mode="rb")
    yield io.TextIOWrapper(buffered, encoding="utf-8-sig", newline="")
    file.drain()


def _delimited(file: _Hashed, path: str, delimiter: str) -> Iterator[ListedRow]:
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    for text in _text(file, path):
        lines = csv.reader(text, delimiter=delimiter)
        names = [name.strip() for name in next(lines, [])]
        for line in lines:
            if line:  # A blank line is not a row.
                yield dict(zip(names, line, strict=False))


def _jsonl(file: _Hashed, path: str) -> Iterator[ListedRow]:
    for text in _text(file, path):
        for line in text:
            if line.strip():
                row = json.loads(line)
                if not isinstance(row, dict):
                    raise ValueError(f"a line must be a JSON object, not {line.strip()[:80]!r}")
                yield row


def _plain(file: _Hashed, path: str) -> Iterator[ListedRow]:
    for text in _text(file, path):
        for line in text:
            address = line.partition(" #")[0].strip()
            if address and not address.startswith("#"):
                yield {"address": address}


def _parquet(file: _Hashed, path: str) -> Iterator[ListedRow]:
    with pq.ParquetFile(file.rewound(), pre_buffer=False) as table:
        for batch in table.iter_batches(_PARQUET_ROWS, use_threads=False):
            yield from batch.to_pylist()


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


_READERS: dict[str, Callable[[_Hashed, str], Iterator[ListedRow]]] = {
    ".csv": lambda file, path: _delimited(file, path, ","),
    ".tsv": lambda file, path: _delimited(file, path, "\t"),
    ".jsonl": _jsonl,
    ".parquet": _parquet,
    ".txt": _plain,
}
