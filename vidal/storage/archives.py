"""Reads members of tar archives in a dataset, by the chained names of fsspec: `tar://<member>::<archive>`.

An index beside each archive holds the offsets of its members, so that reading a member takes one ranged read. If the index is missing or
older than the archive, the headers of the archive are read instead.
"""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import tarfile
import threading
import weakref
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from vidal.errors import DamagedError
from vidal.storage import scratch
from vidal.storage.layout import STAGES, chained, index_of

if TYPE_CHECKING:
    from vidal.storage.storage import Storage

_BLOCK = tarfile.BLOCKSIZE
# How many archives, fetched whole from an object store, are kept on the local disk.
_WHOLE_MAX = 2
# How many indexes are kept: by a process that works on one part after another, and by one that reads members in any order.
_INDEXES_MAX_WHOLE, _INDEXES_MAX = 8, 4096


class Place(NamedTuple):
    """The place of a member's bytes in its archive."""

    offset: int
    size: int


Index = Mapping[str, Place]


class Archives:
    """Reads members. Safe to share between threads.

    fetch_whole: whether an archive on an object store is fetched whole when a member is first read, for callers that read all members.
    """

    def __init__(self, storage: Storage, fetch_whole: bool = False):
        self._storage, self._fetch_whole = storage, fetch_whole
        self._lock = threading.RLock()
        self._indexes: OrderedDict[str, Index] = OrderedDict()
        self._copies: OrderedDict[str, Path] = OrderedDict()
        self._adopted: set[str] = set()
        self._folder: Path | None = None

    def read(self, archive: str, member: str) -> bytes:
        """Returns the bytes of a member. Raises FileNotFoundError if it is missing, DamagedError if the archive is cut short."""
        for attempt in range(2):
            place = self._index(archive).get(member)
            if place is None:
                self.forget(archive)
                continue
            header_and_data = self._read_range(archive, place.offset - _BLOCK, place.offset + place.size)
            if header_and_data[:100].rstrip(b"\0").decode("ascii", "replace") == member:
                if len(header_and_data) != place.size + _BLOCK:
                    raise self._damaged(archive, f"the archive ends in the middle of its file {member}")
                return header_and_data[_BLOCK:]
            # The archive was replaced after its index was read, or the index is older than the archive.
            self.forget(archive)
            if attempt == 0:
                self._indexes[archive] = self._scan(archive)
        raise FileNotFoundError(f"{chained(archive, member)}: the archive has no such member")

    def sizes(self, archive: str) -> dict[str, int]:
        """Returns the sizes of all members in bytes, by name."""
        return {name: place.size for name, place in self._scan(archive).items()}

    def stored_index(self, archive: str) -> Index | None:
        """Returns the index that is stored beside an archive.

        Returns None if no index is stored: the archive is then absent, or the process that wrote it ended before it stored the index.
        """
        stored = self._storage.read_if_present(index_of(archive))
        return _parse(stored) if stored else None

    def adopt(self, archive: str, local: Path, index: bytes) -> None:
        """Makes later reads of an archive use a local copy. Called when this process has just written the archive to an object store.

        local: the copy. This object moves it into its own folder. index: the index of the archive as JSON, from write_archive.
        """
        with self._lock:
            copy = self._own_folder() / archive.replace("/", "-")
            self._copies[archive] = Path(shutil.move(local, copy))
            self._indexes[archive] = _parse(index)
            self._adopted.add(archive)

    def has_adopted(self, archive: str, member: str) -> bool:
        return archive in self._adopted and member in self._indexes.get(archive, {})

    def forget(self, archive: str) -> None:
        """Forgets an archive that has been replaced, so that it is read again."""
        with self._lock:
            self._adopted.discard(archive)
            self._indexes.pop(archive, None)
            if copy := self._copies.pop(archive, None):
                copy.unlink(missing_ok=True)

    def _index(self, archive: str) -> Index:
        with self._lock:
            if archive not in self._indexes:
                stored = None if self._is_whole(archive) else self.stored_index(archive)
                self._indexes[archive] = self._scan(archive) if stored is None else stored
                while len(self._indexes) > (_INDEXES_MAX_WHOLE if self._fetch_whole else _INDEXES_MAX):
                    self._indexes.popitem(last=False)
            return self._indexes[archive]

    def _scan(self, archive: str) -> Index:
        with self._local(archive) as path:
            try:
                with tarfile.open(path, "r:") as tar:
                    return {member.name: Place(member.offset_data, member.size) for member in tar}
            except tarfile.TarError as error:
                raise self._damaged(archive, f"this is not a complete tar archive ({error})") from error

    def _read_range(self, archive: str, start: int, end: int) -> bytes:
        if not self._storage.is_local and not self._is_whole(archive):
            return self._storage.read_range(archive, start, end)
        with self._local(archive) as path, path.open("rb") as file:
            file.seek(start)
            return file.read(end - start)

    def _is_whole(self, archive: str) -> bool:
        """Returns whether an archive is read from a local copy of the whole archive."""
        # An archive of the tables of a shard is not fetched whole, because no caller reads all of these tables.
        return archive in self._adopted or (self._fetch_whole and not archive.startswith(f"{STAGES}/"))

    def _damaged(self, archive: str, why: str) -> DamagedError:
        return DamagedError(
            f"{self._storage.uri}/{archive}: {why}: restore it from a copy, or delete the shard and build it again"
        )

    def _own_folder(self) -> Path:
        """Returns the folder for local copies of archives. The folder is removed together with this object."""
        if self._folder is None:
            self._folder = scratch.create("archives")
            weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        return self._folder

    @contextlib.contextmanager
    def _local(self, archive: str) -> Iterator[Path]:
        if self._storage.is_local or not self._is_whole(archive):
            with self._storage.local(archive) as path:
                if not path.exists():
                    raise FileNotFoundError(archive)
                yield path
            return
        with self._lock:
            if archive not in self._copies:
                copy = self._own_folder() / archive.replace("/", "-")
                self._storage.fetch(archive, copy)
                self._copies[archive] = copy
                while len(self._copies) > _WHOLE_MAX:
                    self.forget(next(iter(self._copies)))
            yield self._copies[archive]


def write_archive(path: Path, members: Iterable[tuple[str, bytes]]) -> bytes:
    """Writes a tar file. The same members give the same bytes. Returns the index of the tar as JSON, to be stored beside it."""
    places = {}
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in members:
            header = tarfile.TarInfo(name)
            header.size = len(data)
            places[name] = Place(tar.offset + _BLOCK, len(data))
            tar.addfile(header, io.BytesIO(data))
    return json.dumps(places, separators=(",", ":")).encode()


def _parse(index: bytes) -> Index:
    return {name: Place(*place) for name, place in json.loads(index).items()}
