"""Where candidates come from. A source finds candidates by a term, describes one, and fetches its bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

Candidate = dict[str, Any]


class Source(Protocol):
    """Candidates are rows of schema.CANDIDATES."""

    def search(self, term: str, limit: int) -> list[Candidate]:
        """At most `limit` candidates for a term. Raises RecordError."""

    def describe(self, candidate: Candidate) -> Candidate:
        """The candidate with its title, hashtags, stated duration and the like filled in. Raises RecordError."""

    def fetch(self, candidate: Candidate, folder: Path) -> Path:
        """Downloads the media into an empty folder. Raises RecordError."""
