"""Stores the answers of models. The key of an answer is the hash of its question.

FileAnswers stores each answer in a file of its own, in a folder that datasets can share. PartAnswers stores the new answers of each part
together in one file, inside the dataset.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
import uuid
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from vidal.storage import layout

if TYPE_CHECKING:
    from vidal.storage.storage import Storage

# How many seconds of answers a killed worker may lose on an object store, where a file cannot be appended to.
_SAVED_EVERY_S = 30.0
# The number of shards whose stored files a worker remembers: while the last parts of a shard are at work, parts of the next may arrive.
SHARDS_AT_ONCE = 8


class AnswerStore(Protocol):
    def read(self, key: str) -> str | None:
        """Returns the answer to a question; None if none is stored. key: the hash of the question."""

    def write(self, key: str, answer: str) -> None: ...


class FileAnswers:
    """Keeps one small file per answer, below a folder of the storage. Any number of processes may share the folder.

    folder: a name with a slash at its end, or "" for the root of the storage.
    """

    def __init__(self, storage: Storage, folder: str):
        self._storage, self._folder = storage, folder

    def read(self, key: str) -> str | None:
        content = self._storage.read_if_present(self._name(key))
        return None if content is None else content.decode()

    def write(self, key: str, answer: str) -> None:
        self._storage.write(self._name(key), answer.encode())

    def _name(self, key: str) -> str:
        return f"{self._folder}{key[:2]}/{key}.json"


@dataclass
class _PartFile:
    """The file that receives a model's answers for one part.

    lines: on an object store, all lines so far, because the file can only be written as a whole. On a disk, lines are appended to the
    file, and this list stays empty.
    """

    shard: int
    name: str
    lines: list[bytes] = field(default_factory=list)
    saved_lines: int = 0
    saved_at: float = field(default_factory=time.monotonic)


_PART_FILE: ContextVar[_PartFile] = ContextVar("part_file")


class PartAnswers:
    """Keeps the answers that models give to one stage. Each part stores its answers in a file of its own, as JSON lines.

    A stored answer is used again by all parts of the same shard. On a disk, an answer is appended as soon as it is given. On an object
    store, the file is written again from time to time and at the end of the part. Safe to share between threads, even if they work on
    different parts.
    """

    def __init__(self, storage: Storage, stage: str):
        self._storage, self._stage = storage, stage
        self._lock = threading.Lock()
        self._known: dict[int, dict[str, str]] = {}

    @contextlib.contextmanager
    def part(self, shard: int, index: int) -> Iterator[None]:
        """A context in which `read` finds the stored answers of models for this shard, and `write` adds answers for this part."""
        file = _PartFile(shard, layout.answers(self._stage, shard, index, uuid.uuid4().hex[:8]))
        token = _PART_FILE.set(file)
        try:
            yield
        finally:
            _PART_FILE.reset(token)
            with self._lock:
                self._save(file)

    def read(self, key: str) -> str | None:
        with self._lock:
            return self._answers_of(_PART_FILE.get().shard).get(key)

    def write(self, key: str, answer: str) -> None:
        line = json.dumps([key, answer], ensure_ascii=False).encode() + b"\n"
        file = _PART_FILE.get()
        with self._lock:
            self._answers_of(file.shard)[key] = answer
            if self._storage.is_local:
                _append(Path(self._storage.path(file.name)), line)
                return
            file.lines.append(line)
            if time.monotonic() - file.saved_at > _SAVED_EVERY_S:
                self._save(file)

    def _save(self, file: _PartFile) -> None:
        if len(file.lines) > file.saved_lines:
            self._storage.write(file.name, b"".join(file.lines))
            file.saved_lines, file.saved_at = len(file.lines), time.monotonic()

    def _answers_of(self, shard: int) -> dict[str, str]:
        """Returns the model's answers for a shard, by question hash. They are read from the storage when they are first needed."""
        if shard not in self._known:
            self._known[shard] = self._load(shard)
            for other in list(self._known)[:-SHARDS_AT_ONCE]:
                del self._known[other]
        return self._known[shard]

    def _load(self, shard: int) -> dict[str, str]:
        folder = layout.answers_folder(self._stage, shard)
        return {
            key: answer
            for name in self._storage.names(folder)
            for key, answer in _parsed(self._storage.read(f"{folder}/{name}"))
        }


def _append(path: Path, line: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    try:
        os.write(file, line)
    finally:
        os.close(file)


def _parsed(content: bytes) -> Iterator[tuple[str, str]]:
    """Yields keys and answers. Skips incomplete lines: a worker that was killed while it wrote may have left one."""
    for line in content.splitlines():
        with contextlib.suppress(ValueError):
            key, answer = json.loads(line)
            yield key, answer
