"""Sources by name. A client has every source that it needs over itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from vidal.config.recipe import Recipe
from vidal.net.client import Client
from vidal.net.robots import Robots
from vidal.sources.archive import Archive
from vidal.sources.claims import Claims
from vidal.sources.freesound import Freesound
from vidal.sources.peertube import PeerTube
from vidal.sources.plain import Plain
from vidal.sources.settings import Search
from vidal.sources.source import Candidate, Source
from vidal.sources.ytdlp import YtDlp

SOURCES: dict[str, Callable[[Client, Search, float], Source]] = {
    "ytdlp": lambda client, search, duration_max_s: YtDlp(client, search),
    "freesound": Freesound,
    "peertube": PeerTube,
    "archive": Archive,
}


class Sources:
    """Of one client, for one thread at a time."""

    def __init__(self, recipe: Recipe, client: Client, robots: Robots):
        self._recipe, self._client = recipe, client
        self._pages = YtDlp(client)
        self._plain = Plain(client, recipe.crawl, robots, self._pages)
        self._claims = Claims(client._ies)

    def of_search(self, search: Search) -> Source:
        return SOURCES[search.source](self._client, search, self._recipe.text.duration_max_s)

    def of(self, candidate: Candidate) -> Source:
        """Who fetches it: who found it; for an address of a catalogue, yt-dlp where it knows the site."""
        name = candidate.get("source")
        if name and name != "ytdlp":
            search = next((each for each in self._recipe.search if each.source == name), Search(source=name))
            return self.of_search(search)
        return self._pages if name or self._claims(candidate["url"]) else self._plain


def options(endpoints: dict[str, str]) -> dict[str, Any]:
    """yt-dlp options for the services of this run."""
    embedded = endpoints.get("embedded")
    return {"extractor_args": {"vidalembedded": {"base_url": [embedded]}}} if embedded else {}
