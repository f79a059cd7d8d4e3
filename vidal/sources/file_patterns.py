"""Finds the files that a user's path, glob or folder stands for, on a disk or in a bucket."""

from __future__ import annotations

import fnmatch

from vidal.errors import UserError
from vidal.sources.originals import Originals, StoredFile

_GLOB = frozenset("*?[")


def files_of(uri: str, ending: str) -> tuple[Originals, list[StoredFile]]:
    """Finds the files that a path or URI stands for: one file, all that match a glob, or all in a folder and its subfolders.

    Returns the folder that contains the files, and the files sorted by name. Raises UserError if there are no such files.

    ending: such as ".tar". Files of a glob or a folder are left out if their names end otherwise. If the path is that of one file, its
    name may have any ending.
    """
    folder, glob = (uri, "") if _exists(uri) else _split_glob(uri)
    root = Originals(folder)
    if glob or not root.is_file():
        files = [file for stored in root.folders() for file in stored.files.values() if _fits(file.name, glob, ending)]
        if not files:
            raise UserError(f"{uri}: no file there ends in {ending}")
        return root, sorted(files)
    folder, _, name = root.uri.rpartition("/")
    parent = Originals(folder)
    return parent, [parent.file(name)]


def _exists(uri: str) -> bool:
    """Returns whether there is a file or folder with exactly this path, even if the path has wildcard characters."""
    root = Originals(uri)
    return root.exists() or root.is_file()


def _split_glob(uri: str) -> tuple[str, str]:
    """Splits a path before its first component with a wildcard. Returns the folder before it, and the rest."""
    scheme, separator, path = uri.rpartition("://")
    parts = path.split("/")
    first = next((index for index, part in enumerate(parts) if _GLOB & set(part)), len(parts))
    return f"{scheme}{separator}{'/'.join(parts[:first])}" or ".", "/".join(parts[first:])


def _fits(name: str, glob: str, ending: str) -> bool:
    return name.lower().endswith(ending) and (not glob or fnmatch.fnmatchcase(name, glob))
