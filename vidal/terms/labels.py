"""Normalises texts, so that the same label in two corpora becomes one term."""

from __future__ import annotations

import unicodedata


def normalise(term: str) -> str:
    """Returns the text in NFKC, with single spaces, in lower case, with underscores as spaces, without full stops at the end."""
    return " ".join(unicodedata.normalize("NFKC", term).replace("_", " ").lower().split()).rstrip(" .")
