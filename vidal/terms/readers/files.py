"""Opens the file of a corpus: a local file, one that ships in search_terms/, or one behind an fsspec URI; compressed or not."""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import re
from collections.abc import Iterator
from typing import IO

import fsspec
import pyarrow as pa

from vidal.config import packaged_files
from vidal.errors import UserError, VidalError
from vidal.terms.settings import Corpus

_COMPRESSED = (".gz", ".bz2", ".xz", ".zst")
_SNIFFED_BYTES = 4096
_JSON_CHUNK_BYTES = 4096
_JSON_DEPTH_MAX = 100
_JSON_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
LINE_CHARS_MAX = 2**24


class FormatError(VidalError):
    """A file is not in its reader's format. vidal.terms.corpora turns this into a UserError."""


def locate(corpus: Corpus) -> str:
    """Returns the path or URI to open. A local file takes precedence over one of the same name in search_terms/."""
    if "://" in corpus.path:
        return corpus.path
    path = os.path.expanduser(corpus.path)
    shipped = packaged_files.folder("search_terms") / path
    bare = os.path.basename(path) == path
    return str(shipped) if bare and not os.path.exists(path) and shipped.is_file() else path


def extension(corpus: Corpus) -> str:
    """Returns the extension without compression: ".csv" for a.csv and for A.CSV.gz."""
    stem, last = os.path.splitext(corpus.path.lower())
    return os.path.splitext(stem)[1] if last in _COMPRESSED else last


@contextlib.contextmanager
def open_bytes(corpus: Corpus) -> Iterator[io.BufferedReader]:
    """Yields the corpus as a file of bytes, decompressed as its name says. Raises UserError if the protocol of a URI is not installed."""
    path = locate(corpus)
    zst = path.lower().endswith(".zst")
    try:
        opener = fsspec.open(path, "rb", compression=None if zst else "infer")
    except (ImportError, ValueError) as error:
        raise UserError(f"corpus {corpus.source}: {path}: cannot be opened: {error}") from error
    with opener as file:
        # fsspec only reads zst if zstandard is installed; Arrow always does.
        yield io.BufferedReader(pa.CompressedInputStream(file, "zstd") if zst else file)


@contextlib.contextmanager
def open_text(corpus: Corpus) -> Iterator[IO[str]]:
    """Opens a corpus as UTF-8 text, with or without a byte order mark. Invalid bytes become U+FFFD.

    Raises FormatError for a binary file.
    """
    with open_bytes(corpus) as file:
        if b"\0" in file.peek(_SNIFFED_BYTES)[:_SNIFFED_BYTES]:
            raise FormatError("it contains NUL bytes, so it is binary or UTF-16")
        yield io.TextIOWrapper(file, encoding="utf-8-sig", errors="replace")


@contextlib.contextmanager
def open_json(corpus: Corpus) -> Iterator[ShallowJson]:
    with open_bytes(corpus) as file:
        yield ShallowJson(file)


class ShallowJson:
    """A JSON file that ijson can parse safely: `read` returns valid UTF-8, and raises FormatError if the JSON is nested too deeply.

    ijson keeps a path for every open level: a file of 100,000 brackets would take 25 GB.
    """

    def __init__(self, file: IO[bytes]):
        self._file = codecs.EncodedFile(file, "utf-8", "utf-8-sig", errors="replace")
        self._depth = 0
        self._unclosed = b""

    def read(self, size: int = -1) -> bytes:
        """Returns the next bytes of the file, at most 4 KB. Raises FormatError if the JSON is nested too deeply."""
        # Small chunks, so that their nesting is checked before ijson parses them.
        chunk = self._file.read(_JSON_CHUNK_BYTES if size < 0 else min(size, _JSON_CHUNK_BYTES))
        bare, quote, string = _JSON_STRING.sub(b"", self._unclosed + chunk).partition(b'"')
        # If a string goes on in the next chunk, that chunk only needs to know whether the last character is an escape.
        self._unclosed = quote + b"\\" * ((len(string) - len(string.rstrip(b"\\"))) % 2)
        self._depth += sum(map(bare.count, (b"[", b"{"))) - sum(map(bare.count, (b"]", b"}")))
        if self._depth > _JSON_DEPTH_MAX:
            raise FormatError(f"its JSON is nested more than {_JSON_DEPTH_MAX} levels deep")
        return chunk


def lines(corpus: Corpus) -> Iterator[str]:
    """Yields lines with their line ends. Raises FormatError for a line of LINE_CHARS_MAX characters or more."""
    with open_text(corpus) as file:
        while line := file.readline(LINE_CHARS_MAX):
            if len(line) == LINE_CHARS_MAX:
                raise FormatError(f"a line has {LINE_CHARS_MAX:,} characters or more")
            yield line
