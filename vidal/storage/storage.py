"""The storage of a dataset, by URI (local folder, s3, gs, memory). A file that exists is complete, because writes are atomic."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import threading
import uuid
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq

from vidal import ids
from vidal.errors import StorageError, UserError
from vidal.storage import layout, scratch
from vidal.storage.answer_store import AnswerStore, FileAnswers
from vidal.storage.archives import Archives
from vidal.storage.atomic_file import create_file, written_aside
from vidal.storage.media_store import FileStore, MediaStore
from vidal.storage.tables import FOOTER, encoded, footer_length, read_parquet, schema_of_footer, table_metadata

# The optional dependencies (extras) of this package that each protocol needs.
_EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs"}
# The errors of botocore and google.auth for credentials that are missing. Both packages are optional.
_NO_CREDENTIALS = {"NoCredentialsError", "PartialCredentialsError", "DefaultCredentialsError"}
_LOGIN = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS",
}
# A storage, and the store that it writes media of the current part to. A context variable, because each thread may have another part.
_PART_MEDIA: ContextVar[tuple[Storage | None, MediaStore | None]] = ContextVar("part_media", default=(None, None))


def _options(uri: str) -> dict[str, int]:
    """Returns the options with which fsspec opens a URI."""
    # On S3, each read is one request. To split a read into several, s3fs would first ask for the size of the file.
    return {"max_concurrency": 1} if uri.startswith(("s3://", "s3a://")) else {}


def absolute_uri(out: str) -> str:
    """Returns the folder or URI of a dataset in a form that means the same in every process."""
    return out if "://" in out else os.path.abspath(out)


class Storage:
    """Reads and writes the files of a dataset. A name is relative to the root URI and has forward slashes.

    Besides the files of the dataset, these can be read:
    - a table that was moved into the archive of its shard (see vidal.storage.gathered), by the name that it had as a file. If a file
      with this name was stored since, the file is read.
    - a member of an archive, by `tar://<member>::<archive>`.
    - an original, which is a media file of the user, by its path or URI. An original must be in the folder that `_dataset.json` names.
      Originals are never written or removed.

    media, answers: the stores to which stages write media and the answers of models. fetch_archives: whether archives on an
    object store are fetched whole, see vidal.storage.archives. bytes_written: how many bytes this object has written.

    A missing file raises FileNotFoundError; missing or refused credentials raise UserError; any other failure to read or write a file
    raises StorageError.
    """

    def __init__(self, uri: str, *, fetch_archives: bool = False):
        self.uri = uri
        self.archives = Archives(self, fetch_whole=fetch_archives)
        self._files = FileStore(self)
        self._originals: str | None = None
        self.bytes_written = 0
        self._counting = threading.Lock()
        self.answers: AnswerStore = FileAnswers(self, f"{layout.CACHE}/")
        try:
            self._fs, self.root = self._connect()
        except ImportError as error:
            extra = _EXTRAS.get(uri.partition("://")[0])
            remedy = f": pip install 'vidal-datasets[{extra}]'" if extra else ""
            raise UserError(f"{uri}: cannot be opened: {error}{remedy}") from error
        except ValueError as error:
            raise UserError(f"{uri}: cannot be opened: {error}") from error
        self.is_local = "file" in (self.fs.protocol if isinstance(self.fs.protocol, tuple) else (self.fs.protocol,))

    def _connect(self) -> tuple[Any, str]:
        # A cached listing would hide files that another process has written since.
        self._process = os.getpid()
        fs, root = fsspec.core.url_to_fs(self.uri, use_listings_cache=False, **_options(self.uri))
        return fs, root

    @property
    def fs(self) -> Any:
        """The fsspec file system. A forked process, such as a worker of a data loader, opens its own connection."""
        if self._process != os.getpid():
            self._fs, self.root = self._connect()
        return self._fs

    @property
    def media(self) -> MediaStore:
        """The store that stages write media to.

        In the block `with storage.writing_media_to(store)`, this is `store`. Outside, it is a store without archives: each file is
        stored by itself.
        """
        storage, media = _PART_MEDIA.get()
        return media if media and storage is self else self._files

    @contextlib.contextmanager
    def writing_media_to(self, media: MediaStore) -> Iterator[None]:
        token = _PART_MEDIA.set((self, media))
        try:
            yield
        finally:
            _PART_MEDIA.reset(token)

    def path(self, name: str) -> str:
        """Returns the path of a file of the dataset.

        Raises ValueError for an absolute path, a URI, or a name with "..", so that no file outside the dataset is changed or deleted.
        """
        if layout.is_original(name) or ".." in name.split("/"):
            raise ValueError(f"{name!r} is outside the dataset")
        return f"{self.root}/{name}" if name else self.root

    def check_writable(self) -> None:
        """Raises UserError if the storage cannot be written to. The check leaves no file behind."""
        probe = f".probe-{uuid.uuid4().hex}"
        try:
            is_new = not self.exists("")
            self.write(probe, b"")
            self.fs.rm_file(self.path(probe))
            if is_new and self.is_local:
                shutil.rmtree(self.root)
        except (OSError, StorageError) as error:
            cause = error.__cause__ if isinstance(error, StorageError) else error
            raise UserError(
                f"{self.uri}: cannot be written: {getattr(cause, 'strerror', None) or cause}; choose another --out"
            ) from error

    def exists(self, name: str) -> bool:
        path = self.path(name)
        with self._failing(name):
            exists: bool = self.fs.exists(path)
        place = None if exists else layout.gathered_place(name)
        return exists or (place is not None and place[1] in (self.archives.stored_index(place[0]) or {}))

    @contextlib.contextmanager
    def _failing(self, name: str) -> Iterator[None]:
        try:
            yield
        except (FileExistsError, FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise
        except Exception as error:
            if self.is_local and not isinstance(error, OSError):
                raise
            # The client of a store raises errors of its own, such as botocore's, where a disk would raise an OSError.
            reason = " ".join(str(getattr(error, "strerror", None) or error or type(error).__name__).split())
            if not self.is_local and (isinstance(error, PermissionError) or type(error).__name__ in _NO_CREDENTIALS):
                login = _LOGIN.get(self.uri.partition("://")[0], "the variables of its client")
                raise UserError(
                    f"{self.uri}: {reason}: check the credentials in {login}, here and on every node of a cluster"
                ) from error
            raise StorageError(
                f"{self.uri}: {name or 'its list of files'} cannot be read or written: {reason}"
            ) from error

    def names(self, name: str) -> list[str]:
        """Returns the names of the files and folders directly in a folder, sorted, without those that begin with a dot.

        Includes tables that are in the archive of their shard, under their own names. Returns an empty list if there is no such folder.
        """
        names = set(self.loose_names(name))
        if place := layout.gathered_folder(name):
            archive, prefix = place
            members = self.archives.stored_index(archive) or {}
            names |= {member.removeprefix(prefix) for member in members if member.startswith(prefix)}
        return sorted(names)

    def loose_names(self, name: str) -> list[str]:
        """Returns the names of the files and folders directly in a folder, sorted, without those that begin with a dot.

        Tables that exist only in the archive of their shard are not included. Returns an empty list if there is no such folder.
        """
        path = self.path(name)
        try:
            with self._failing(name):
                entries = self.fs.ls(path, detail=False, refresh=True)
        except (FileNotFoundError, NotADirectoryError):
            return []
        names = (entry.rstrip("/").rsplit("/", 1)[-1] for entry in entries)
        return sorted(entry for entry in names if not entry.startswith("."))

    def read(self, name: str) -> bytes:
        if place := layout.split_chained(name):
            return self.archives.read(*place)
        if layout.is_original(name):
            with self.local(name) as local:
                return local.read_bytes()
        path, gathered = self.path(name), layout.gathered_place(name)
        if gathered and self.archives.has_adopted(*gathered):
            return self.archives.read(*gathered)
        try:
            with self._failing(name):
                content: bytes = self.fs.cat_file(path)
                return content
        except FileNotFoundError:
            if gathered is None:
                raise
            return self.archives.read(*gathered)

    def read_if_present(self, name: str) -> bytes | None:
        """Returns the content of a file; None if there is no such file. Takes one request, where `exists` and `read` would take two."""
        try:
            return self.read(name)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def _count(self, size: int) -> None:
        with self._counting:
            self.bytes_written += size

    def write(self, name: str, data: bytes) -> None:
        """Writes a file atomically: a reader sees either the old bytes or the new ones, never a mixture."""
        path = self.path(name)
        self._count(len(data))
        with self._failing(name):
            if not self.is_local:
                self.fs.pipe_file(path, data)  # An object store shows an object only when it is complete.
                return
            with written_aside(Path(path)) as aside:
                aside.write_bytes(data)

    def create(self, name: str, data: bytes) -> bool:
        """Writes a file that does not exist yet. Returns False and writes nothing if it exists: of two processes, one wins."""
        path = self.path(name)
        try:
            with self._failing(name):
                if self.is_local:
                    create_file(Path(path), data)
                else:
                    self.fs.pipe_file(path, data, mode="create")
        except (FileExistsError, StorageError) as error:
            # Clients differ in how they report that the condition of a PUT does not hold.
            if isinstance(error, FileExistsError) or self.exists(name):
                return False
            raise
        return True

    def stamps(self, folder: str) -> dict[str, str]:
        """Returns a stamp for each file directly in a folder, by file name. A stamp changes when its file is written again.

        Takes one request for all files.
        """
        try:
            with self._failing(folder):
                entries = self.fs.ls(self.path(folder), detail=True, refresh=True)
        except (FileNotFoundError, NotADirectoryError):
            return {}
        files = ((entry["name"].rstrip("/").rsplit("/", 1)[-1], entry) for entry in entries if entry["type"] == "file")
        return {
            name: f"{entry['size']}-{entry.get('ETag') or entry.get('etag') or entry.get('mtime') or entry.get('created')}"
            for name, entry in files
            if not name.startswith(".")
        }

    def sizes(self, folder: str) -> dict[str, int]:
        """Returns the sizes in bytes of all files below a folder, by their names relative to it."""
        root = self.path(folder)
        try:
            with self._failing(folder):
                entries = self.fs.find(root, detail=True, refresh=True) if self.fs.exists(root) else {}
        except (FileNotFoundError, NotADirectoryError):
            return {}
        return {name.removeprefix(root).lstrip("/"): int(entry["size"]) for name, entry in entries.items()}

    def put(self, local: Path, name: str) -> None:
        """Moves a local file into the dataset, atomically."""
        path = self.path(name)
        self._count(local.stat().st_size)
        with self._failing(name):
            if not self.is_local:
                self.fs.put_file(str(local), path)
                local.unlink()
                return
            with written_aside(Path(path)) as aside:
                shutil.move(str(local), aside)

    def remove(self, name: str) -> None:
        path = self.path(name)
        with contextlib.suppress(FileNotFoundError), self._failing(name):
            self.fs.rm_file(path)

    def remove_all(self, names: list[str]) -> None:
        """Removes these files. A file that does not exist is skipped."""
        if self.is_local:
            for name in names:
                self.remove(name)
            return
        paths = [self.path(name) for name in names]
        try:
            with self._failing(names[0] if names else ""):
                self.fs.rm(paths)  # On S3, one request removes up to a thousand files.
        except FileNotFoundError:  # Some stores stop at the first file that is missing.
            for name in names:
                self.remove(name)

    def remove_folder(self, name: str) -> None:
        """Removes a folder with everything in it, if there is one."""
        path = self.path(name)
        with contextlib.suppress(FileNotFoundError), self._failing(name):
            self.fs.rm(path, recursive=True)

    def read_range(self, name: str, start: int, end: int) -> bytes:
        """Returns the bytes from start up to, but not including, end."""
        path = self.path(name)
        with self._failing(name):
            content: bytes = self.fs.cat_file(path, start=start, end=end)
            return content

    def fetch(self, name: str, local: Path) -> None:
        """Copies a file to a local path."""
        with self._failing(name):
            self.fs.get_file(self.path(name), str(local))

    def _check_original(self, name: str) -> None:
        """Raises ValueError for a file outside the folder that the dataset was made from.

        name: a path or URI from a row. It is checked because anybody may have written the row.
        """
        if self._originals is None and (content := self.read_if_present(layout.DATASET)):
            self._originals = json.loads(content).get("originals")
        if not self._originals or ".." in name.split("/") or not _is_below(name, self._originals):
            raise ValueError(f"{name!r} is outside the dataset, and outside the folder that the dataset was made from")

    def _fetch_original(self, uri: str, local: Path) -> None:
        """Copies an original that a row names by its URI. The URI is not parsed: `::` and `*` are ordinary characters in it."""
        with self._failing(uri):
            fs = fsspec.filesystem(uri.partition("://")[0], use_listings_cache=False, **_options(uri))
            fs.get_file(fs._strip_protocol(uri), str(local))

    @contextlib.contextmanager
    def local(self, name: str) -> Iterator[Path]:
        """Yields a local path to read the file from: the file itself, or a copy that is removed afterwards."""
        is_member, is_original = layout.split_chained(name) is not None, layout.is_original(name)
        if is_original:
            self._check_original(name)
            if name.startswith("/"):
                yield Path(name)
                return
        if self.is_local and not is_member and not is_original:
            yield Path(self.path(name))
            return
        with scratch.folder("copy") as folder:
            copy = folder / layout.file_name(name)
            if is_member:
                copy.write_bytes(self.read(name))
            elif is_original:
                self._fetch_original(name, copy)
            else:
                self.fetch(name, copy)
            yield copy

    def write_table(self, name: str, table: pa.Table, metadata: dict[str, str] | None = None) -> str:
        """Writes Parquet, with the same bytes for the same rows and metadata. Returns their sha256."""
        content = encoded(table, metadata or {})
        self.write(name, content)
        return ids.sha256(content)

    def read_table(self, name: str, columns: list[str] | None = None) -> pa.Table:
        """Reads a table. The whole file is read, even if only some columns are wanted, because these tables are small."""
        return read_parquet(pa.BufferReader(self.read(name)), columns)

    def read_columns(self, name: str, columns: list[str]) -> pa.Table:
        """Reads some columns of a table. If the table is large, the bytes of its other columns are not read."""
        path = self.path(name)
        with self._failing(name), self.fs.open(path, "rb", cache_type="none") as file:
            return read_parquet(file, columns)

    def metadata(self, name: str) -> dict[str, str]:
        """Returns the metadata that write_table stored.

        A table in the archive of its shard is read as a whole. Of any other table, only the footer is read, usually in one request.
        """
        try:
            return self._footer(name)
        except FileNotFoundError:
            if (place := layout.gathered_place(name)) is None:
                raise
            return table_metadata(pq.read_schema(pa.BufferReader(self.archives.read(*place))))

    def _footer(self, name: str) -> dict[str, str]:
        path = self.path(name)
        with self._failing(name):
            if self.is_local:
                with open(path, "rb") as file:
                    return table_metadata(pq.read_schema(file))
            tail = self.fs.cat_file(path, start=-FOOTER)
            if footer_length(tail) > len(tail):
                tail = self.fs.cat_file(path, start=-footer_length(tail))
            return table_metadata(schema_of_footer(tail))

    def metadata_if_present(self, name: str) -> dict[str, str] | None:
        """Returns the metadata of a table; None if there is no table."""
        try:
            return self.metadata(name)
        except (FileNotFoundError, NotADirectoryError):
            return None


def _is_below(name: str, root: str) -> bool:
    if name.startswith("/") and root.startswith("/"):
        name, root = os.path.realpath(name), os.path.realpath(root)
    return name.startswith(f"{root.rstrip('/')}/")
