"""Stores the answers of models by the hash of their question: in one file per answer
where datasets share them, otherwise in one file per part."""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from vidal.storage import layout

if TYPE_CHECKING:
    from vidal.storage.storage import Storage

# How many seconds of answers a killed worker may lose on an object store, where a file cannot be appended to.
_SAVED_EVERY_S = 30.0


class AnswerStore(Protocol):
    def read(self, key: str) -> str | None:
        """Returns the answer to a question; None if none is stored. key: the hash of the question."""

    def write(self, key: str, answer: str) -> None: ...


class FileAnswers:
    """Keeps one small file per answer, below a folder of the storage. Any number of processes may share the folder."""

    def __init__(self, storage: Storage, folder: str):
        self._storage, self._folder = storage, folder

    def read(self, key: str) -> str | None:
        content = self._storage.read_if_present(self._name(key))
        return None if content is None else content.decode()

    def write(self, key: str, answer: str) -> None:
        self._storage.write(self._name(key), answer.encode())

    def _name(self, key: str) -> str:
        return f"{self._folder}{key[:2]}/{key}.json"


class PartAnswers:
    """Keeps the answers to one stage, in a file of JSON lines for each part that asked something. All parts of a shard reuse them.

    On a disk, an answer is appended as soon as it is given. On an object store, the file is written again from time to time and at
    the end of the part. No two processes write the same file. Safe to share between threads.
    """

    def __init__(self, storage: Storage, stage: str):
        self._storage, self._stage = storage, stage
        self._lock = threading.Lock()
        self._shard = -1
        self._known: dict[str, str] | None = None
        self._file = ""
        self._lines: list[bytes] = []
        self._saved_lines, self._saved_at = 0, 0.0

    @contextlib.contextmanager
    def part(self, shard: int, index: int) -> Iterator[None]:
        """Within this context, answers are written to a file of this part."""
        if shard != self._shard:
            self._shard, self._known = shard, None
        self._file = layout.answers(self._stage, shard, index, uuid.uuid4().hex[:8])
        self._lines, self._saved_lines, self._saved_at = [], 0, time.monotonic()
        try:
            yield
        finally:
            self._save()

    def read(self, key: str) -> str | None:
        with self._lock:
            if self._known is None:
                self._known = self._load()
            return self._known.get(key)

    def write(self, key: str, answer: str) -> None:
        line = json.dumps([key, answer], ensure_ascii=False).encode() + b"\n"
        with self._lock:
            if self._known is not None:
                self._known[key] = answer
            if self._storage.is_local:
                _append(Path(self._storage.path(self._file)), line)
                return
            self._lines.append(line)
            if time.monotonic() - self._saved_at > _SAVED_EVERY_S:
                self._save()

    def _save(self) -> None:
        if len(self._lines) > self._saved_lines:
            self._storage.write(self._file, b"".join(self._lines))
            self._saved_lines, self._saved_at = len(self._lines), time.monotonic()

    def _load(self) -> dict[str, str]:
        folder = layout.answers_folder(self._stage, self._shard)
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
    """Yields keys and answers. The last line may be torn, if the worker was killed while it wrote."""
    for line in content.splitlines():
        with contextlib.suppress(ValueError):
            key, answer = json.loads(line)
            yield key, answer
