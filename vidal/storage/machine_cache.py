"""The cache of this machine, for results that take long to compute and never change. A folder that exists is complete."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from vidal.errors import UserError


def folder(name: str, make: Callable[[Path], None], root: Path | None = None) -> Path:
    """Returns the folder of that name, which `make` fills once per machine. The name must include everything that affects the content.

    root: replaces vidal's folder in XDG_CACHE_HOME or ~/.cache. Raises UserError if the cache cannot be written.
    """
    root = root or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "vidal"
    finished = root / name
    if finished.is_dir():
        return finished
    try:
        root.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(dir=root, prefix=f".{name[:40]}-"))
    except OSError as error:
        raise UserError(
            f"the cache {root} cannot be written ({error.strerror}): set XDG_CACHE_HOME to another folder"
        ) from error
    try:
        make(aside)
        aside.rename(finished)
    except OSError:
        if not finished.is_dir():  # Otherwise another process was faster, and its folder is the same.
            raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return finished
