"""Moves the tables of all stages of a shard into one archive, so that a large dataset has few objects.

The commit of a shard does this if the recipe sets `storage.media` to `tar`. The archive is written before the tables are removed. The
class Storage still reads and lists each table under the name of its former file.

A later build may store a table again, as a file. Then this file is read, and not the old table in the archive. The next commit moves
the file into the archive and replaces the old table.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

from vidal.storage import layout, scratch
from vidal.storage.archives import write_archive
from vidal.storage.storage import Storage

# How many tables are read at a time from an object store.
_READ_AT_ONCE = 32


def gather(storage: Storage, shard: int, names: Iterable[str]) -> None:
    """Moves tables and ledgers of a shard into the archive of the shard. names: may include some that were moved earlier.

    An interrupted call can be repeated. If the archive is on an object store, this process keeps a local copy, and reads from it later.
    """
    archive = layout.gathered(shard)
    before = storage.archives.stored_index(archive)
    loose = list(names) if before is None else _loose(storage, names)
    if not loose:
        return
    members = {_member(name): name for name in loose}
    with scratch.folder("gathered") as folder:
        aside = folder / "archive.tar"
        index = write_archive(aside, _contents(storage, archive, sorted({*(before or {}), *members}), members))
        copy = None if storage.is_local else Path(shutil.copy(aside, f"{aside}.copy"))
        storage.put(aside, archive)
        storage.write(layout.index_of(archive), index)
        storage.archives.forget(archive)
        if copy:
            storage.archives.adopt(archive, copy, index)
    storage.remove_all(loose)


def _member(name: str) -> str:
    place = layout.gathered_place(name)
    if place is None:
        raise ValueError(f"{name} is neither a table nor a ledger of a part")
    return place[1]


def _loose(storage: Storage, names: Iterable[str]) -> list[str]:
    listed: dict[str, set[str]] = {}
    loose = []
    for name in names:
        folder, _, file = name.rpartition("/")
        if folder not in listed:
            listed[folder] = set(storage.loose_names(folder))
        if file in listed[folder]:
            loose.append(name)
    return loose


def _contents(storage: Storage, archive: str, members: list[str], loose: dict[str, str]) -> Iterator[tuple[str, bytes]]:
    def content(member: str) -> tuple[str, bytes]:
        return member, storage.read(loose[member]) if member in loose else storage.archives.read(archive, member)

    waiting = iter(members)
    with ThreadPoolExecutor(1 if storage.is_local else _READ_AT_ONCE) as pool:
        while batch := list(islice(waiting, _READ_AT_ONCE)):
            yield from pool.map(content, batch)
