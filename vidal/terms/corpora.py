"""Reads corpora, which are label lists and captions in their official files, as one stream of texts."""

from __future__ import annotations

import lzma
import textwrap
import zlib
from collections.abc import Iterator

import fsspec
import pyarrow as pa

from vidal import ids
from vidal.errors import UserError
from vidal.terms.readers import READERS, Reader
from vidal.terms.readers.files import FormatError, locate
from vidal.terms.settings import Corpus

_HASHED_BYTES = 64 * 2**20
# The exceptions of the decompressors and of Arrow for a damaged file, besides OSError.
_DAMAGED = (EOFError, zlib.error, lzma.LZMAError, pa.ArrowException)


def texts(corpus: Corpus) -> Iterator[str]:
    """Returns an iterator over the texts of a corpus, stripped and without empty texts. Memory does not grow with the file.

    Raises UserError: at once for an unknown reader; during reading, for a file that is missing, damaged, empty or not
    in the reader's format.
    """
    return _read(corpus, _reader(corpus))


def names_things(corpus: Corpus) -> bool:
    """Returns whether the texts of a corpus are names of things. Raises UserError for an unknown reader."""
    return _reader(corpus).names_things


def identity(corpus: Corpus) -> str:
    """Returns a hash that identifies the files of a corpus.

    It is computed from the bytes of files of up to 64 MB, and from the metadata of larger files and of folders.
    """
    wanted = [corpus, *([corpus.model_copy(update={"path": corpus.subset})] if corpus.subset else [])]
    return ids.fingerprint([_file_identity(each) for each in wanted])


def _file_identity(corpus: Corpus) -> str:
    fs, path = fsspec.core.url_to_fs(locate(corpus))
    try:
        return ids.sha256(fs.cat_file(path)) if fs.info(path)["size"] <= _HASHED_BYTES else str(fs.ukey(path))
    except (FileNotFoundError, IsADirectoryError):
        return str(sorted((name, str(fs.ukey(name))) for name in fs.find(path)))


def _reader(corpus: Corpus) -> Reader:
    if corpus.reader not in READERS:
        raise UserError(f"corpus {corpus.source}: no reader {corpus.reader!r}: choose one of {', '.join(READERS)}")
    return READERS[corpus.reader]


def _read(corpus: Corpus, reader: Reader) -> Iterator[str]:
    empty = True
    try:
        for raw in reader.read(corpus):
            if text := raw.strip():
                empty = False
                yield text
    except FileNotFoundError as error:
        raise UserError(
            f"corpus {corpus.source}: {_missing(corpus, error)}: no such file: give a path, a URI or a file of search_terms/"
        ) from error
    except FormatError as error:
        raise _unfit(corpus, reader, str(error)) from error
    except _DAMAGED as error:
        raise _unfit(corpus, reader, f"damaged or of another format: {error}") from error
    except OSError as error:
        raise _unfit(corpus, reader, f"cannot be read: {error.strerror or error}") from error
    if empty:
        raise _unfit(corpus, reader, "contains no texts for this reader")


def _missing(corpus: Corpus, error: FileNotFoundError) -> str:
    name = str(error.filename or "")
    return corpus.subset if corpus.subset and name.endswith(corpus.subset) else corpus.path


def _unfit(corpus: Corpus, reader: Reader, problem: str) -> UserError:
    # The problem may quote the file, and a file may contain escape sequences.
    printable = "".join(char if char.isprintable() else "?" for char in textwrap.shorten(problem, 240))
    return UserError(
        f"corpus {corpus.source}: {corpus.path}: {printable}; "
        f"reader {corpus.reader} expects {reader.expects}: give such a file, or another reader"
    )
