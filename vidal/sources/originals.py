"""Reads the files of a folder or bucket of the user. The files are never changed, and no file outside the folder is opened."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NamedTuple

from vidal.errors import RecordError, UserError
from vidal.schema import Reason
from vidal.sources.listing import RefusedRow
from vidal.storage import layout
from vidal.storage.storage import Storage, absolute_uri

_BLOCK = 2**24


class StoredFile(NamedTuple):
    """A file below a folder. name: relative to the folder. size: in bytes. version: changes when the file is written again."""

    name: str
    size: int
    version: str


@dataclass(frozen=True)
class StoredFolder:
    """A folder below a root, and the files directly in it, by name.

    name: relative to the root; "" for the root. refused: the links that lead out of the root, and folders that cannot be listed.
    """

    name: str
    files: dict[str, StoredFile]
    refused: tuple[RefusedRow, ...] = ()


class Originals:
    """The user's files below a root, which is a local folder or a URI. Raises UserError if its store cannot be opened."""

    def __init__(self, uri: str):
        self.uri = absolute_uri(uri).rstrip("/") or "/"
        self._storage = Storage(self.uri)
        self.is_local = self._storage.is_local
        self._real = os.path.realpath(self.uri) if self.is_local else ""

    def location(self, name: str) -> str:
        """Returns the absolute path or URI of a file."""
        return f"{self.uri.rstrip('/')}/{name}"

    def name_of(self, location: str) -> str:
        """Returns the name of a file, which is its path relative to the root. location: the absolute path or the URI of the file.

        Raises RecordError(unreadable_file) if the location is not below the root.
        """
        root = f"{self.uri.rstrip('/')}/"
        if not location.startswith(root) or ".." in location.split("/"):
            raise _unreadable(location, f"is not in {self.uri}")
        return location.removeprefix(root)

    def exists(self) -> bool:
        """Returns whether the root is a folder. In a bucket, an empty folder does not exist.

        Raises UserError if the store does not answer.
        """
        with _listing(self.uri, self.is_local):
            return bool(self._storage.fs.isdir(self._storage.root))

    def is_file(self) -> bool:
        with _listing(self.uri, self.is_local):
            return bool(self._storage.fs.isfile(self._storage.root))

    def file(self, name: str) -> StoredFile:
        """Returns a file by its name. Raises UserError if there is none."""
        with _listing(self.location(name), self.is_local):
            info = self._storage.fs.info(self._path(name))
            return StoredFile(name, int(info["size"] or 0), _version(info))

    def folders(self) -> Iterator[StoredFolder]:
        """Yields every folder with its files, in order. Hidden files and folders, and vidal datasets, are left out.

        A link is followed only to a file below the root. Local folders that cannot be listed are in `refused` of the last StoredFolder.
        Raises UserError if the store does not answer.
        """
        with _listing(self.uri, self.is_local):
            yield from self._local_folders() if self.is_local else self._remote_folders()

    def _remote_folders(self) -> Iterator[StoredFolder]:
        root = self._storage.root.rstrip("/")
        for folder, folders, files in self._storage.fs.walk(root, detail=True, topdown=True):
            _prune(folders, files)
            name = folder.rstrip("/").removeprefix(root).strip("/")
            stored = {
                file: StoredFile(_join(name, file), int(info["size"] or 0), _version(info))
                for file, info in sorted(files.items())
                if not file.startswith(".") and file
            }
            yield StoredFolder(name, stored)

    def _local_folders(self) -> Iterator[StoredFolder]:
        unreadable: list[RefusedRow] = []

        def note(error: OSError) -> None:
            unreadable.append(RefusedRow(str(error.filename), f"the folder cannot be listed: {_one_line(error)}"))

        for folder, folders, files in os.walk(self.uri, onerror=note):
            folders.sort()
            name = os.path.relpath(folder, self.uri)
            name = "" if name == "." else name.replace(os.sep, "/")
            links = [each for each in folders if os.path.islink(os.path.join(folder, each))]
            _prune(folders, files)
            stored: dict[str, StoredFile] = {}
            refused = [self._refuse(name, link) for link in links if not self._is_inside(_join(name, link))]
            for file in sorted(files):
                if not file.startswith("."):
                    self._stat(name, file, stored, refused)
            yield StoredFolder(name, stored, tuple(refused))
        yield StoredFolder("", {}, tuple(unreadable))

    def _stat(self, folder: str, file: str, stored: dict[str, StoredFile], refused: list[RefusedRow]) -> None:
        name = _join(folder, file)
        if not self._is_inside(name):
            refused.append(self._refuse(folder, file))
            return
        with contextlib.suppress(FileNotFoundError):  # A link to nothing, or a file that has just been removed.
            status = os.stat(self.location(name))
            if stat.S_ISREG(status.st_mode):
                stored[file] = StoredFile(name, status.st_size, str(status.st_mtime_ns))

    def _refuse(self, folder: str, file: str) -> RefusedRow:
        return RefusedRow(
            self.location(_join(folder, file)),
            "this is a link that leads out of the folder: copy what it leads to instead",
        )

    def _is_inside(self, name: str) -> bool:
        real = os.path.realpath(self.location(name))
        return os.path.commonpath([real, self._real]) == self._real

    def size(self, name: str) -> int:
        """Returns the size of a file in bytes. Raises RecordError(unreadable_file) if it cannot be read."""
        with _reading(self.location(name), self.is_local):
            self._check(name)
            return int(self._storage.fs.info(self._path(name))["size"] or 0)

    def open(self, name: str) -> IO[bytes]:
        """Opens a file for reading and seeking. From a bucket, only the bytes that are read are requested.

        Raises RecordError(unreadable_file) if it cannot be opened.
        """
        with _reading(self.location(name), self.is_local):
            self._check(name)
            options = {} if self.is_local else {"cache_type": "none"}
            file: IO[bytes] = self._storage.fs.open(self._path(name), "rb", **options)
            return file

    def read_range(self, name: str, start: int, end: int) -> bytes:
        """Returns the bytes from start up to, but not including, end. Raises RecordError(unreadable_file) if they cannot be read."""
        with _reading(self.location(name), self.is_local):
            self._check(name)
            content: bytes = self._storage.fs.cat_file(self._path(name), start=start, end=end)
            return content

    def read_small(self, files: list[StoredFile]) -> list[bytes | RecordError]:
        """Returns the content of each file, or why it cannot be read. All contents are in memory at once, so the files must be small.

        Files in a bucket are requested all at the same time.
        """
        answers: dict[str, bytes | RecordError] = {file.name: b"" for file in files}
        wanted = [file for file in files if file.size and self._is_readable(file.name, answers)]
        # `cat` would take the brackets in a name for a wildcard.
        starts, ends = [0] * len(wanted), [file.size for file in wanted]
        contents = self._storage.fs.cat_ranges(
            [self._path(file.name) for file in wanted], starts, ends, on_error="return"
        )
        for file, content in zip(wanted, contents, strict=True):
            try:
                with _reading(self.location(file.name), self.is_local):
                    if isinstance(content, Exception):
                        raise content
                    answers[file.name] = content
            except RecordError as error:
                answers[file.name] = error
        return [answers[file.name] for file in files]

    def _is_readable(self, name: str, answers: dict[str, bytes | RecordError]) -> bool:
        """Returns whether a file may be opened. If not, puts the reason into `answers`."""
        try:
            with _reading(self.location(name), self.is_local):
                self._check(name)
        except RecordError as error:
            answers[name] = error
            return False
        return True

    def copy(self, name: str, target: Path, max_bytes: int, start: int = 0, size: int | None = None) -> Path:
        """Copies a file to `target`, or `size` bytes of it from the byte `start` on. Each byte is read once. Returns the target.

        Raises RecordError: too_large, or unreadable_file if the file is missing or ends too early.
        """
        count = self.size(name) - start if size is None else size
        if count > max_bytes:
            what = self.location(name) if size is None else f"the member at byte {start} of {self.location(name)}"
            raise RecordError(
                Reason.TOO_LARGE,
                f"{what} has {count} bytes, more than the {max_bytes} that crawl.max_bytes allows",
            )
        with target.open("wb") as file:
            while (done := file.tell()) < count:
                block = self.read_range(name, start + done, start + min(done + _BLOCK, count))
                if not block:
                    raise _unreadable(
                        self.location(name),
                        f"the file ends after {start + done} bytes: it became shorter while it was being read",
                    )
                file.write(block)
        return target

    def link(self, name: str, target: Path, max_bytes: int) -> Path:
        """Makes `target` a link to a local file, so that nothing is copied.

        Raises RecordError: too_large, or unreadable_file if the file cannot be read.
        """
        if (size := self.size(name)) > max_bytes:
            raise RecordError(
                Reason.TOO_LARGE,
                f"{self.location(name)} has {size} bytes, more than the {max_bytes} that crawl.max_bytes allows",
            )
        target.symlink_to(os.path.realpath(self.location(name)))
        return target

    def _path(self, name: str) -> str:
        return f"{self._storage.root.rstrip('/')}/{name}"

    def _check(self, name: str) -> None:
        """Raises RecordError if a local file is not a plain file in the root: it may have changed since it was listed."""
        if not self.is_local:
            return
        if not self._is_inside(name):
            raise _unreadable(self.location(name), "this is a link that leads out of the folder")
        if not stat.S_ISREG(os.stat(self.location(name)).st_mode):
            raise _unreadable(self.location(name), "this is not a plain file")


def _prune(folders: list[str] | dict[str, object], files: list[str] | dict[str, object]) -> None:
    """Removes, in place, what a walk leaves out: hidden folders, and all contents of a folder that is a vidal dataset."""
    for name in list(folders):
        if name.startswith(".") or layout.DATASET in files:
            folders.remove(name) if isinstance(folders, list) else folders.pop(name)
    if layout.DATASET in files:
        files.clear()


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _version(info: dict[str, object]) -> str:
    return str(info.get("ETag") or info.get("etag") or info.get("mtime") or info.get("created") or "")


@contextlib.contextmanager
def _listing(uri: str, is_local: bool) -> Iterator[None]:
    try:
        yield
    except (UserError, RecordError):
        raise
    except Exception as error:
        if is_local and not isinstance(error, OSError):
            raise
        # The client of a store raises errors of its own, such as botocore's, where a disk would raise an OSError.
        raise UserError(f"{uri}: cannot be listed: {_one_line(error)}") from error


@contextlib.contextmanager
def _reading(location: str, is_local: bool) -> Iterator[None]:
    """Turns a failure of the disk or the store into a RecordError.

    This RecordError is transient, unless the file is missing, is a folder, or may not be read.
    """
    try:
        yield
    except RecordError:
        raise
    except Exception as error:
        if is_local and not isinstance(error, OSError):
            raise
        is_final = isinstance(error, (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError))
        raise _unreadable(location, _one_line(error), transient=not is_final) from error


def _unreadable(location: str, why: str, transient: bool = False) -> RecordError:
    return RecordError(Reason.UNREADABLE_FILE, f"{location}: {why}", transient=transient)


def _one_line(error: Exception) -> str:
    return " ".join(str(getattr(error, "strerror", None) or error).split())[:200] or type(error).__name__
