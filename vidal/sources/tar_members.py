"""Lists the members of a tar archive. Only the headers, and small members whose content is wanted, are requested from a bucket."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Iterator
from typing import NamedTuple, cast

_BLOCK = tarfile.BLOCKSIZE
# What tarfile raises for an archive that is damaged, or made to harm its reader.
_DAMAGE = (tarfile.TarError, RecursionError, ValueError, OverflowError, EOFError, MemoryError)


class TarMember(NamedTuple):
    """A plain file in an archive. offset: the position of its first byte. content: its bytes if wanted and not too large, else None."""

    name: str
    offset: int
    size: int
    content: bytes | None = None


class DamagedTar(Exception):
    """The rest of an archive cannot be listed, because it is damaged."""


class TarListing:
    """The members of an archive.

    read_range: returns the bytes of the archive from a start offset up to, but not including, an end offset.
    size: the size of the archive in bytes.
    is_wanted: takes the name of a member, and returns whether to read its content.
    max_bytes: the content of a larger member is not read, and a larger header raises DamagedTar.
    """

    def __init__(
        self, read_range: Callable[[int, int], bytes], size: int, is_wanted: Callable[[str], bool], max_bytes: int
    ):
        self._file = _RangeFile(read_range, size, max_bytes)
        self._is_wanted, self._max_bytes = is_wanted, max_bytes

    def __iter__(self) -> Iterator[TarMember]:
        """Yields the plain files in order; links, devices and sparse files are left out. Raises DamagedTar."""
        try:
            # tarfile only reads, seeks and asks for the position.
            with tarfile.open(fileobj=cast("io.BufferedReader", self._file), mode="r:", errorlevel=0) as tar:
                for member in tar:
                    tar.members = []  # type: ignore[attr-defined]  # tarfile would keep them all.
                    if member.isreg() and not member.issparse():
                        yield TarMember(member.name, member.offset_data, member.size, self._content(member))
        except _DAMAGE as error:
            raise DamagedTar(" ".join(str(error).split())[:200] or type(error).__name__) from error

    def _content(self, member: tarfile.TarInfo) -> bytes | None:
        """Returns the bytes of a member; None if it is larger than max_bytes or not wanted."""
        if member.size > self._max_bytes or not self._is_wanted(member.name):
            return None
        # tarfile sets the position again before it reads the next header.
        self._file.seek(member.offset_data)
        return self._file.read(member.size)


class _RangeFile:
    """The archive as the file object that tarfile reads. The bytes of a member are requested only if its content is read."""

    def __init__(self, read_range: Callable[[int, int], bytes], size: int, max_bytes: int):
        self._read_range, self._size, self._max_bytes = read_range, size, max_bytes
        self._position = 0
        self._start, self._buffer = 0, b""

    def tell(self) -> int:
        return self._position

    def seek(self, position: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = base + position
        return self._position

    def read(self, count: int) -> bytes:
        count = max(0, min(count, self._size - self._position))
        if count > self._max_bytes:
            raise tarfile.ReadError(f"a header has {count} bytes, more than the {self._max_bytes} that are allowed")
        # tarfile reads a single byte only to find out whether the archive goes on.
        content = b"\0" if count == 1 else self._buffered(count)
        self._position += len(content)
        return content

    def _buffered(self, count: int) -> bytes:
        start, end = self._position, self._position + count
        if not (self._start <= start and end <= self._start + len(self._buffer)):
            # The content of a member is requested together with the header that follows it.
            padded = count if count == _BLOCK else -(-count // _BLOCK) * _BLOCK + _BLOCK
            self._start, self._buffer = start, self._read_range(start, min(start + padded, self._size))
        return self._buffer[start - self._start : end - self._start]
