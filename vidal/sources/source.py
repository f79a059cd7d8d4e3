"""Defines a source: it finds candidates by a term, describes a candidate, and fetches its media."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, cast

from vidal.records import Candidate
from vidal.sources.settings import Search

if TYPE_CHECKING:  # Importing a source for its settings must not load yt-dlp.
    from vidal.net.client import Client


@dataclass(frozen=True)
class Fetched:
    """A downloaded file. page: what the page of the file states, as columns of a candidate; empty if no page was read."""

    path: Path
    page: Candidate = field(default_factory=Candidate)


class Fetcher(Protocol):
    """Describes and fetches candidates. Client.work limits the time and the bytes of each call."""

    def describe(self, candidate: Candidate) -> Candidate:
        """Returns the candidate with title, hashtags, stated duration and so on filled in.

        Raises RecordError, for example bad_url if the address is not http(s) and the source does not read local files.
        """

    def fetch(self, candidate: Candidate, folder: Path) -> Fetched:
        """Downloads the media into `folder`, which is empty. Raises RecordError.

        No file may be written outside `folder`, even if a website gives it a name such as "../a.mp4".
        """


class Source(Fetcher, Protocol):
    """A Fetcher that also finds candidates.

    settings: the source's subclass of Search. The constructor takes the client, the search of the recipe as an instance of
    `settings`, and the longest duration in seconds that the recipe accepts.
    """

    settings: ClassVar[type[Search]]

    def __init__(self, client: Client, search: Any, duration_max_s: float) -> None: ...

    def search(self, term: str, limit: int) -> list[Candidate]:
        """Returns at most `limit` candidates for a term, the best first. Raises RecordError if the search fails."""


def fill_in(candidate: Candidate, page: Candidate) -> Candidate:
    """Returns a candidate with what its page adds: values for empty columns, and missing keys of `extra`. No value is replaced."""
    stated = {key: value for key, value in page.items() if candidate.get(key) in (None, "", [])}
    extra = {**page.get("extra", {}), **dict(candidate.get("extra") or {})}
    return cast(Candidate, {**candidate, **stated, "extra": extra})


def stated_texts(values: Mapping[str, object], *keys: str) -> dict[str, str]:
    """Returns the values of the keys as texts, for the `extra` column of a candidate; empty values are left out."""
    return {key: str(values[key]) for key in keys if values.get(key) not in (None, "", [])}
