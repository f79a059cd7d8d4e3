"""Writes a file completely or not at all. Its bytes are flushed to the disk before it gets its name."""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def written_aside(path: Path) -> Iterator[Path]:
    """Yields a temporary path beside `path`, and renames it to `path` at the end, so that no reader sees half a file.

    If an exception ends the block, `path` stays as it was.
    """
    with _aside(path) as aside:
        yield aside
        _sync(aside)
        os.replace(aside, path)


def create_file(path: Path, data: bytes) -> None:
    """Writes a file that does not exist yet. Raises FileExistsError if it does."""
    with _aside(path) as aside:
        aside.write_bytes(data)
        _sync(aside)
        try:
            os.link(aside, path)
        except FileExistsError:
            raise
        except OSError:  # A disk without hard links: a reader may see the file before it is whole.
            with path.open("xb") as file:
                file.write(data)


def link_or_copy(path: Path, copy: Path) -> None:
    """Gives a file a second name; on a disk without hard links, copies it."""
    try:
        os.link(path, copy)
    except OSError:
        shutil.copyfile(path, copy)


@contextlib.contextmanager
def _aside(path: Path) -> Iterator[Path]:
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        yield aside
    finally:
        aside.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    """Flushes a file to the disk. Without this, a machine that loses power may keep the new name and lose the bytes."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
