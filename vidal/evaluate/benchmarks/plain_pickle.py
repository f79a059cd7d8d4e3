"""Reads pickled dictionaries, lists, texts and numbers. Nothing in the file is executed."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any, NoReturn

from vidal.errors import UserError


class _PlainUnpickler(pickle.Unpickler):
    """Refuses every class and function: a pickle without them holds only plain values."""

    def find_class(self, module: str, name: str) -> NoReturn:
        raise pickle.UnpicklingError(f"it holds {module}.{name}, and only dictionaries, lists and texts are read")


def load(path: Path) -> Any:
    """Returns the value in the file. Raises UserError for a file that is not a pickle, or that holds anything but plain values."""
    try:
        with path.open("rb") as file:
            return _PlainUnpickler(file).load()
    except (pickle.UnpicklingError, EOFError, OSError, ValueError, UnicodeDecodeError, IndexError, KeyError) as error:
        raise UserError(f"{path}: {error}: use the file exactly as published") from error
