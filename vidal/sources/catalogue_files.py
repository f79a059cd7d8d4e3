"""Reads the rows of a list of addresses from its files: csv, tsv, json, jsonl, Parquet or plain text, as a stream."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING, Any
from uuid import uuid4

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq

from vidal import ids
from vidal.errors import UserError
from vidal.sources.delimited import delimited_rows
from vidal.sources.json_arrays import elements
from vidal.sources.listed_values import RowError

if TYPE_CHECKING:
    from hashlib import _Hash

_PACKED = {".gz": "gzip", ".bz2": "bz2", ".xz": "xz", ".zst": "zstd"}
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_BLOCK = 2**20
_PARQUET_ROWS = 10_000
# What an HTTP server may say about the content of a file. If it says nothing, the file is read each time.
_VALIDATORS = ("ETag", "Content-MD5", "Digest", "Last-Modified")
_COMMENT = re.compile(r"(?:^|\s)#.*", re.S)

# The cells of a row of a user's list, by the names of the columns. A cell of Parquet or JSON need not be a text.
ListedRow = dict[str, object]


class Catalogue:
    """The files of a catalogue: one file, or all files that match a glob, sorted by name. They are on a disk or at a URI.

    where: the name of the catalogue in messages. Raises UserError if there is no file, or if the files cannot be reached or have an
    unknown extension.
    """

    def __init__(self, pattern: str):
        self.where = f"catalogue {pattern}"
        if _ending(pattern) not in _READERS:
            raise UserError(
                f"{self.where}: the name must end in one of {', '.join(sorted(_READERS))}; .gz, .bz2, .xz or .zst may follow"
            )
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
        """Returns one text for each file, but does not read the files. If a file changes, its text changes."""
        return [f"{path} {self._stamp_of(path)}" for path in self.paths]

    def _stamp_of(self, path: str) -> str:
        if "http" not in self._fs.protocol:
            return str(self._fs.ukey(path))
        # fsspec takes files at http addresses for unchanging.
        info = self._fs.info(path)
        stated = {name: info[name] for name in _VALIDATORS if info.get(name)}
        return ids.fingerprint([stated, info.get("size")]) if stated else uuid4().hex

    def sha256(self) -> str:
        """Returns the hash of the bytes of all files, which are read once, in blocks."""
        digest = sha256()
        for path in self.paths:
            with self._fs.open(path, "rb") as file:
                while block := file.read(_BLOCK):
                    digest.update(block)
        return digest.hexdigest()

    def rows(self, digest: _Hash) -> Iterator[tuple[str, ListedRow | RowError]]:
        """Yields (place, row): the name of the row in messages, and its cells by column name, or a RowError if it cannot be read.

        digest: updated with the bytes of the files. Raises UserError for a file that cannot be read to its end.
        """
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
    """A file that is read once, from its beginning to its end. Every byte that is read also goes into a digest."""

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
        """Reads the file to its end, so that the digest covers the bytes that a decoder has left unread."""
        while self.read(_BLOCK):
            pass

    def rewound(self) -> IO[bytes]:
        """Updates the digest with the whole file, and returns the file at its beginning, for a reader that seeks."""
        self.drain()
        self._file.seek(0)
        return self._file


def _ending(path: str) -> str:
    suffixes = [suffix.lower() for suffix in PurePosixPath(path).suffixes]
    return suffixes[-2] if len(suffixes) > 1 and suffixes[-1] in _PACKED else (suffixes or [""])[-1]


def _text(file: _Hashed, path: str) -> Iterator[IO[str]]:
    """Yields one text stream with the content of a file. Unpacks a compressed file.

    An unpacker can stop before the end of the file. The digest must cover the whole file. After the stream, the rest is therefore read.
    In a UTF-8 text, each byte that cannot be decoded becomes a lone surrogate. The caller can refuse a row that contains a surrogate.
    """
    unpacked = io.BufferedReader(_unpacked(file, _PACKED.get(PurePosixPath(path).suffix.lower())), _BLOCK)
    encoding = "utf-16" if unpacked.peek(2)[:2] in _UTF16 else "utf-8-sig"
    yield io.TextIOWrapper(unpacked, encoding=encoding, errors="surrogateescape", newline="")
    file.drain()


def _unpacked(file: _Hashed, method: str | None) -> Any:
    if method is None:
        return file
    buffered = io.BufferedReader(file, _BLOCK)
    # fsspec only reads zst if zstandard is installed; Arrow always does.
    if method == "zstd":
        return pa.CompressedInputStream(buffered, method)
    return fsspec.compression.compr[method](buffered, mode="rb")


def _check_utf8(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise RowError("its text is not UTF-8: save the list as UTF-8") from error


def _each(texts: Iterator[Iterable[str]], parse: Callable[[str], ListedRow | None]) -> Iterator[ListedRow | RowError]:
    """Yields the row of each line of the texts, or the RowError that `parse` raises. parse: returns None for a line without a row."""
    for text in texts:
        for line in text:
            try:
                _check_utf8(line)
                row = parse(line)
            except RowError as error:
                yield error
            else:
                if row is not None:
                    yield row


def _delimited(file: _Hashed, path: str, delimiter: str) -> Iterator[ListedRow | RowError]:
    for text in _text(file, path):
        for row in delimited_rows(text, delimiter):
            try:
                if isinstance(row, dict):
                    _check_utf8("".join(row.values()))
            except RowError as error:
                yield error
            else:
                # The copy is for the type checker: a dict[str, str] is not a dict[str, object].
                yield row if isinstance(row, RowError) else {**row}


def _parse_json(line: str) -> ListedRow | None:
    if not line.strip():
        return None
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise RowError(f"the line is not JSON: {_one_line(error)}") from error
    return _row_of_json(row, line)


def _row_of_json(row: object, source: str) -> ListedRow:
    if not isinstance(row, dict):
        raise RowError(f"a row must be a JSON object, not {source.strip()[:80]!r}")
    return trimmed(row)


def _json(file: _Hashed, path: str) -> Iterator[ListedRow | RowError]:
    """Reads an array of objects. A file that does not begin with [ has one object per line: many data sets name such files .json."""
    for text in _text(file, path):
        start = ""
        while not start.strip() and (block := text.read(_BLOCK)):
            start = block
        start = start.lstrip()
        if not start.startswith("["):
            yield from _each(iter([_following(start, text)]), _parse_json)
            continue
        for source, value in elements(text, start):
            try:
                _check_utf8(source)
                yield _row_of_json(value, source)
            except RowError as error:
                yield error


def _following(start: str, text: IO[str]) -> Iterator[str]:
    """Yields the lines of a text. start: its beginning, which has already been read from `text`."""
    *lines, last = f"{start}{text.readline()}".split("\n")
    yield from lines
    yield last
    yield from text


def _parse_address(line: str) -> ListedRow | None:
    address = _COMMENT.sub("", line).strip()
    return {"address": address} if address else None


def _parquet(file: _Hashed, path: str) -> Iterator[ListedRow | RowError]:
    with pq.ParquetFile(file.rewound(), pre_buffer=False) as table:
        for batch in table.iter_batches(_PARQUET_ROWS, use_threads=False):
            names = list(trimmed(dict.fromkeys(batch.schema.names)))
            if len(names) != batch.num_columns:
                raise ValueError(
                    "two columns have the same name, apart from blanks around it: rename one of the two "
                    f"(all columns: {', '.join(batch.schema.names)})"
                )
            yield from batch.rename_columns(names).to_pylist()


def trimmed(row: ListedRow) -> ListedRow:
    """Returns the row without blanks and byte order marks around its column names. Raises RowError if two names are then equal."""
    names = {name: name.strip().lstrip("\ufeff").strip() for name in row}
    if len(set(names.values())) < len(names):
        raise RowError(
            f"two columns have the same name, apart from blanks around it: rename one of the two (all columns: {', '.join(row)})"
        )
    return {names[name]: value for name, value in row.items()}


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


_READERS: dict[str, Callable[[_Hashed, str], Iterator[ListedRow | RowError]]] = {
    ".csv": lambda file, path: _delimited(file, path, ","),
    ".tsv": lambda file, path: _delimited(file, path, "\t"),
    ".json": _json,
    ".jsonl": lambda file, path: _each(_text(file, path), _parse_json),
    ".parquet": _parquet,
    ".txt": lambda file, path: _each(_text(file, path), _parse_address),
}
