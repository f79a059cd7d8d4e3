"""Stores the media of the stages: as single files, or in one archive for each part and kind of media (video, frames, ...).

Storage.read reads both in the same way.
"""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from vidal.storage import layout, scratch
from vidal.storage.archives import write_archive

if TYPE_CHECKING:
    from vidal.storage.storage import Storage


class MediaStore(Protocol):
    """Stores the files of clips. file: the name of a file within its clip, such as "video.mp4" or "frames/0.jpg"."""

    def write(self, shard: int, clip_id: str, file: str, data: bytes) -> str: ...

    def put(self, shard: int, clip_id: str, file: str, local: Path) -> str:
        """Moves a local file into the store. Returns its path, by which Storage.read reads it after `commit`."""

    def commit(self, rows: Iterable[Mapping[str, object]]) -> None:
        """Makes the stored files readable. rows: all rows of the part that may name media; media that no row names may be discarded."""


class FileStore:
    """Stores each file under _media/shard-00000/<clip_id>/. A file can be read as soon as it is written."""

    def __init__(self, storage: Storage):
        self._storage = storage

    def write(self, shard: int, clip_id: str, file: str, data: bytes) -> str:
        name = layout.media(shard, clip_id, file)
        self._storage.write(name, data)
        return name

    def put(self, shard: int, clip_id: str, file: str, local: Path) -> str:
        name = layout.media(shard, clip_id, file)
        self._storage.put(local, name)
        return name

    def commit(self, rows: Iterable[Mapping[str, object]]) -> None:
        pass


class TarStore:
    """Stores the media of one part in tar archives. Files wait on the local disk until `commit`. Safe to share between threads.

    If an archive exists already, `commit(rows)` replaces it as a whole. Old files that a row names are copied into the new archive.
    """

    def __init__(self, storage: Storage, part: int):
        self._storage, self._part = storage, part
        self._folder = scratch.create("media")

    def write(self, shard: int, clip_id: str, file: str, data: bytes) -> str:
        name, waiting = self._place(shard, clip_id, file)
        waiting.write_bytes(data)
        return name

    def put(self, shard: int, clip_id: str, file: str, local: Path) -> str:
        name, waiting = self._place(shard, clip_id, file)
        shutil.move(local, waiting)
        return name

    def _place(self, shard: int, clip_id: str, file: str) -> tuple[str, Path]:
        kind, member = layout.member_name(clip_id, file)
        waiting = self._waiting(archive := layout.archive(shard, self._part, kind), member)
        waiting.parent.mkdir(exist_ok=True)
        return layout.chained(archive, member), waiting

    def _waiting(self, archive: str, member: str) -> Path:
        return self._folder / archive.rpartition("/")[2] / member

    def commit(self, rows: Iterable[Mapping[str, object]]) -> None:
        named: dict[str, set[str]] = defaultdict(set)
        for archive, member in _members(rows):
            named[archive].add(member)
        for archive, members in sorted(named.items()):
            if any(self._waiting(archive, member).exists() for member in members):
                self._write_archive(archive, sorted(members))
        self.close()

    def _write_archive(self, archive: str, members: list[str]) -> None:
        contents = ((member, self._content(archive, member)) for member in members)
        _store_archive(self._storage, archive, self._folder / "archive.tar", contents)

    def _content(self, archive: str, member: str) -> bytes:
        waiting = self._waiting(archive, member)
        return waiting.read_bytes() if waiting.exists() else self._storage.archives.read(archive, member)

    def close(self) -> None:
        """Discards the files that were not committed."""
        shutil.rmtree(self._folder, ignore_errors=True)


def replace_archive(storage: Storage, archive: str, members: list[str]) -> None:
    """Rewrites an archive so that it has only `members`, in the given order. If `members` is empty, removes the archive."""
    if not members:
        storage.remove_all([archive, layout.index_of(archive)])
        storage.archives.forget(archive)
        return
    with scratch.folder("media") as folder:
        contents = ((member, storage.archives.read(archive, member)) for member in members)
        _store_archive(storage, archive, folder / "archive.tar", contents)


def _store_archive(storage: Storage, archive: str, aside: Path, contents: Iterable[tuple[str, bytes]]) -> None:
    index = write_archive(aside, contents)
    storage.put(aside, archive)
    storage.write(layout.index_of(archive), index)
    storage.archives.forget(archive)


def _members(rows: Iterable[Mapping[str, object]]) -> Iterator[tuple[str, str]]:
    """Yields (archive, member) for each archive member that the rows name, in any column."""
    for row in rows:
        for value in row.values():
            for name in value if isinstance(value, list) else [value]:
                if isinstance(name, str) and (place := layout.split_chained(name)):
                    yield place
