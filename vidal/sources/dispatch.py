"""Chooses a source: for a search, the source that the recipe names; for a candidate, the source that can fetch it."""

from __future__ import annotations

from vidal.config.recipe import Recipe
from vidal.net.client import Client
from vidal.records import Candidate
from vidal.sources.collection import Collection
from vidal.sources.plain import Plain
from vidal.sources.registry import SOURCES
from vidal.sources.settings import Search
from vidal.sources.source import Fetcher, Source
from vidal.sources.ytdlp import YtDlp, YtDlpSearch
from vidal.sources.ytdlp_extractors import ExtractorMatcher


class Sources:
    """The sources that share one client. They may only be used by one thread at a time."""

    def __init__(self, recipe: Recipe, client: Client, collection: Collection | None):
        self._recipe, self._client, self._collection = recipe, client, collection
        self._finders: dict[str, Source] = {}
        self._pages = YtDlp(client, YtDlpSearch(), recipe.duration_max_s())
        self._plain = Plain(client, self._pages)
        self._extractors = ExtractorMatcher(client._ies)

    def for_search(self, search: Search) -> Source:
        self._client.set_plain(False)
        source = SOURCES[search.source].load()
        return source(self._client, search, self._recipe.duration_max_s(is_sound=search.finds_sounds))

    def for_candidate(self, candidate: Candidate) -> Fetcher:
        """Returns the source that fetches the candidate.

        A candidate of a search or collection is fetched by the source that found it. An address of the user's list is fetched by yt-dlp
        if yt-dlp has an extractor for this website, and by Plain if not.
        """
        name = candidate.get("source")
        if self._collection and self._is_collected(candidate):
            return self._collection
        is_plain = self._is_plain(candidate)
        self._client.set_plain(is_plain)
        if name:
            return self._finder(name)
        return self._plain if is_plain else self._pages

    def is_extracted(self, candidate: Candidate) -> bool:
        """Returns whether an extractor of yt-dlp, other than its generic one, fetches the candidate."""
        name = candidate.get("source")
        return name == YtDlpSearch().source or (not name and self._extractors.has_extractor(candidate["url"]))

    def describe_robots(self, candidate: Candidate) -> str:
        """Returns a remark for the ledger on whether robots.txt was obeyed for the candidate.

        The remark is "" for the user's own media, and for a plain address whose robots.txt was obeyed.
        """
        is_plain, crawl = self._is_plain(candidate), self._recipe.crawl
        is_obeyed = crawl.obeys_robots(is_plain)
        if self._is_collected(candidate) or (is_plain and is_obeyed):
            return ""
        why = "" if is_plain else ", as the recipe says for sources with an extractor or API of their own"
        return f"robots.txt was {'obeyed' if is_obeyed else 'not consulted'}{why}"

    def _is_collected(self, candidate: Candidate) -> bool:
        collection = self._recipe.collection
        return collection is not None and candidate.get("source") == collection.source

    def _is_plain(self, candidate: Candidate) -> bool:
        return not candidate.get("source") and not self.is_extracted(candidate)

    def _finder(self, name: str) -> Source:
        """Returns the source of this name. It is created once, because it may remember a page between `describe` and `fetch`."""
        if name not in self._finders:
            searches = (search for search in self._recipe.search if search.source == name)
            search = next(searches, None) or SOURCES[name].load().settings()
            self._finders[name] = self.for_search(search)
        return self._finders[name]
