"""Reads a user's list as a build does, for tests that need its candidates or the rows that it refuses."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from vidal.records import Candidate
from vidal.sources.catalogue import CatalogueListing
from vidal.sources.listing import RefusedRow


def read_list(path: Path | str, columns: dict[str, str] | None = None) -> tuple[list[Candidate], list[RefusedRow]]:
    rows = list(CatalogueListing(str(path), columns).candidates(sha256()))
    refused = [row for row in rows if isinstance(row, RefusedRow)]
    return [row for row in rows if not isinstance(row, RefusedRow)], refused


def listed(path: Path | str, columns: dict[str, str] | None = None) -> list[Candidate]:
    """The candidates of a list in which every row can be read."""
    candidates, refused = read_list(path, columns)
    assert not refused
    return candidates
