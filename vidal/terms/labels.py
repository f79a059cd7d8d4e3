"""Label lists: one term a line, '#' begins a comment. Class names are facts; lists of them ship in search_terms/."""

from __future__ import annotations

import unicodedata
from pathlib import Path

from vidal import resources
from vidal.config import TermList
from vidal.errors import UserError


def normalise(term: str) -> str:
    """NFKC, single spaces, lower case, underscores as spaces: the same label of two corpora becomes one term."""
    return " ".join(unicodedata.normalize("NFKC", term).replace("_", " ").lower().split())


def read(listed: TermList) -> list[str]:
    """Terms of a list, normalised, in order. A bare file name is looked up in search_terms/. Raises UserError."""
    path = Path(listed.file)
    if not path.is_file():
        path = resources.folder("search_terms") / listed.file
    if not path.is_file():
        raise UserError(f"term list {listed.file}: no such file; give a path, or a list of search_terms/")
    lines = (line.partition("#")[0] for line in path.read_text(encoding="utf-8").splitlines())
    return [term for line in lines if (term := normalise(line))]
