"""Normalises texts, so that the same label of two corpora becomes one term."""

from __future__ import annotations

import unicodedata


def normalise(term: str) -> str:
    """NFKC, single spaces, lower case, underscores as spaces, no full stop at the end."""
    return " ".join(unicodedata.normalize("NFKC", term).replace("_", " ").lower().split()).rstrip(" .")
