"""Where candidates come from. A source finds candidates by a term, describes one, and fetches its bytes: one file each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

Candidate = dict[str, Any]


@dataclass(frozen=True)
class Fetched:
    """A file that has arrived, and what its page says of it, where it has one: columns of a candidate."""

    path: Path
    page: Candidate = field(default_factory=dict)


class Source(Protocol):
    """Candidates are rows of schema.CANDIDATES. Each call is one piece of work of a crawl.client.Client."""

    def search(self, term: str, limit: int) -> list[Candidate]:
        """At most `limit` candidates for a term, the best first. Raises RecordError."""

    def describe(self, candidate: Candidate) -> Candidate:
        """The candidate with its title, hashtags, stated duration and the like filled in. Raises RecordError."""

    def fetch(self, candidate: Candidate, folder: Path) -> Fetched:
        """Downloads the media into an empty folder, under a name of ours. Raises RecordError."""


def described(candidate: Candidate, page: Candidate) -> Candidate:
    """What the candidate lacks, from its page: a catalogue's word goes before the page's."""
    filled = {key: value for key, value in page.items() if candidate.get(key) in (None, "", [])}
    return {**candidate, **filled, "extra": {**page.get("extra", {}), **dict(candidate.get("extra") or {})}}


def extra(values: dict[str, Any], keys: tuple[str, ...]) -> dict[str, str]:
    """Those of the keys that say something, as text."""
    return {key: str(values[key]) for key in keys if values.get(key) not in (None, "", [])}


def first(items: Iterator[Candidate], limit: int) -> list[Candidate]:
    found = []
    for item in items:
        found.append(item)
        if len(found) == limit:
            break
    return found
