"""Finds the files that ship beside the code. They are at the top of a checkout, and inside an installed package."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parents[1]


def folder(name: str) -> Path:
    """Returns the folder of the packaged files. name: "pipelines" or "search_terms"."""
    packed = _PACKAGE / f"_{name}"
    return packed if packed.is_dir() else _PACKAGE.parent / name
