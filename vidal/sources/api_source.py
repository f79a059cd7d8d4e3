"""The base class of sources with a JSON API: it reads search results page by page, and downloads the file of a result unchanged."""

from __future__ import annotations

import contextlib
import itertools
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlencode

from vidal.errors import RecordError
from vidal.records import Candidate
from vidal.schema import Reason
from vidal.sources.download import open_media, save_body
from vidal.sources.settings import Search
from vidal.sources.source import Fetched

if TYPE_CHECKING:
    from vidal.net.client import Client

JsonObject = dict[str, Any]


class ApiSearch(Search):
    """The settings that the searches of all sources with an API have in common."""

    base_url: str | None = None
    """Address of another server with the same API. `null` uses the usual server."""


class ApiSource(ABC):
    """A source with an API. A subclass defines how results are listed, and how a candidate is described."""

    settings: ClassVar[type[Search]]
    default_base_url: ClassVar[str]

    def __init__(self, client: Client, search: ApiSearch, duration_max_s: float):
        self._client, self._duration_max_s = client, duration_max_s
        self._base_url = (search.base_url or self.default_base_url).rstrip("/")

    def search(self, term: str, limit: int) -> list[Candidate]:
        with reading_answers():
            return list(itertools.islice(self._list_results(term, limit), limit))

    @abstractmethod
    def _list_results(self, term: str, limit: int) -> Iterator[Candidate]:
        """Yields the search results for a term, the best first. Each page of results is requested only when it is needed.

        limit: the caller reads at most this many results. A subclass may yield more: it uses the limit only to choose the size of a page.
        """

    @abstractmethod
    def describe(self, candidate: Candidate) -> Candidate:
        """Returns the candidate with its media_url and the other values that the API states, such as its duration.

        Raises RecordError if the candidate has no file that may be downloaded, or if the API's answer cannot be used.
        """

    def fetch(self, candidate: Candidate, folder: Path) -> Fetched:
        url = candidate.get("media_url") or self.describe(candidate).get("media_url")
        if not url:
            raise RecordError(Reason.UNSUPPORTED_URL, "the item has no file to download")
        with open_media(self._client, url) as response:
            return Fetched(save_body(response, b"", folder))

    def _get_json(self, path: str, query: JsonObject | None = None, token: str | None = None) -> JsonObject:
        """Returns the JSON object at `path`: a path below the base URL, or a whole URL. query: query parameters. token: an API token.

        Raises RecordError(extractor) if the answer is not a JSON object, yt-dlp's RequestError if the request fails, and WorkStopped if
        vidal refuses the request.
        """
        url = path if "://" in path else f"{self._base_url}{path}"
        return get_json(self._client, url, query, token)


@contextlib.contextmanager
def reading_answers() -> Iterator[None]:
    """Turns an error such as KeyError, which an answer of an unexpected form causes, into RecordError(extractor)."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise RecordError(
            Reason.EXTRACTOR, f"the answer of the API has an unexpected form: {type(error).__name__}: {error}"
        ) from error


def get_json(client: Client, url: str, query: JsonObject | None = None, token: str | None = None) -> JsonObject:
    """Returns the JSON object at a URL. query: query parameters. token: an API token to send with the request.

    Raises RecordError, with the reason `extractor`, if the answer is not a JSON object; yt-dlp's RequestError if the request fails; and
    WorkStopped if vidal refuses the request.
    """
    address = f"{url}?{urlencode(query, doseq=True)}" if query else url
    authorization = {"Authorization": f"Token {token}"} if token else {}
    with client.get(address, Accept="application/json", **authorization) as response:
        body = response.read()
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise RecordError(Reason.EXTRACTOR, f"{url} does not answer with JSON") from error
    if not isinstance(answer, dict):
        raise RecordError(Reason.EXTRACTOR, f"{url} answers with JSON that is not an object")
    return answer


def parse_duration(value: object) -> float | None:
    """Returns a duration in seconds; None if it is 0 or unknown. value: a number of seconds, or a clock time such as "1:02:03"."""
    try:
        parts = [float(part) for part in str(value).split(":")]
    except ValueError:
        return None
    total_s = 0.0
    for part in parts:
        total_s = total_s * 60 + part
    return total_s or None
