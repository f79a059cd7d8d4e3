"""Reads pickled dictionaries, lists, texts and numbers safely: no code in the file is executed."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any, NoReturn

from vidal.errors import UserError


class _PlainUnpickler(pickle.Unpickler):
    """An unpickler that refuses every class and function, so that only plain values can be read."""

    def find_class(self, module: str, name: str) -> NoReturn:
        raise pickle.UnpicklingError(
            f"the file contains {module}.{name}, but only dictionaries, lists, texts and numbers can be read"
        )


def load(path: Path) -> Any:
    """Returns the value in a pickle file. Raises UserError if it is not a pickle, or if it contains more than plain values."""
    try:
        with path.open("rb") as file:
            return _PlainUnpickler(file).load()
    except (pickle.UnpicklingError, EOFError, OSError, ValueError, UnicodeDecodeError, IndexError, KeyError) as error:
        raise UserError(f"{path}: {error}: use the file exactly as published") from error
