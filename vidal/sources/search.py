"""Search terms to candidates: every search of every term, each result once, what failed as an outcome that can be repeated."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from vidal import ids
from vidal.config.recipe import Recipe
from vidal.errors import RecordError
from vidal.pipeline import ledger
from vidal.pipeline.stage import Drop, Record, Runtime
from vidal.schema import Status, Subject
from vidal.sources.candidate_policy import judge_result
from vidal.sources.session import Network
from vidal.sources.settings import Search
from vidal.sources.source import Candidate

STAGE = "discover"


@dataclass(frozen=True)
class Query:
    """entry: which of the recipe's searches; limit: results, at most."""

    entry: int
    term: str
    limit: int

    def id(self, recipe: Recipe) -> str:
        return ids.candidate_id(recipe.search[self.entry].name, self.term, None, None)


@dataclass
class Found:
    """outcomes: ledger rows of searches that failed and of results that were not chosen; failed: those searches."""

    candidates: dict[str, Candidate] = field(default_factory=dict)
    outcomes: list[Record] = field(default_factory=list)
    failed: list[Query] = field(default_factory=list)


def queries(recipe: Recipe, terms: Iterable[str], weights: dict[str, float]) -> list[Query]:
    """weights: how many times its usual number of results a term may ask for."""
    return [
        Query(entry, term, limit)
        for term in terms
        for entry, search in enumerate(recipe.search)
        if (limit := round(search.per_term * weights.get(term, 1.0)))
    ]


def run(recipe: Recipe, runtime: Runtime, wanted: Iterable[Query]) -> Found:
    """Raises RunEndedError where searches fail because the run is over."""
    network, found, dropped = Network(recipe, runtime), Found(), dict[str, Record]()
    for query in wanted:
        search = recipe.search[query.entry]
        try:
            results = _search(network, search, query)
        except RecordError as error:
            found.failed.append(query)
            found.outcomes.append(_failed(search, query, error, recipe))
            continue
        for candidate in results:
            if drop := judge_result(candidate, search, recipe):
                dropped.setdefault(candidate["candidate_id"], _dropped(candidate, drop))
                continue
            known = found.candidates.setdefault(candidate["candidate_id"], {**candidate, "search_terms": []})
            if query.term not in known["search_terms"]:
                known["search_terms"].append(query.term)
    if found.failed:
        runtime.check_alive()
    found.outcomes += [row for id_, row in dropped.items() if id_ not in found.candidates]
    return found


def _search(network: Network, search: Search, query: Query) -> list[Candidate]:
    text = search.query.format(term=query.term)
    found, _ = network.call(lambda sources: sources.of_search(search).search(text, query.limit))
    return found


def _dropped(candidate: Candidate, drop: Drop) -> Record:
    detail = f"{candidate['url']}: {drop.detail}"
    return ledger.row(Subject.CANDIDATE, candidate["candidate_id"], STAGE, Status.DROPPED, drop.reason, detail=detail)


def _failed(search: Search, query: Query, error: RecordError, recipe: Recipe) -> Record:
    options: dict[str, Any] = {"transient": error.transient, "attempts": error.attempts}
    detail = f"search {search.name} {query.term!r}: {error.detail}"
    return ledger.row(Subject.CANDIDATE, query.id(recipe), STAGE, Status.FAILED, error.reason, detail=detail, **options)
