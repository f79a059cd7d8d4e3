"""Turns search terms into candidates: runs every search of the recipe for every term.

A result that several terms find becomes one candidate. Failed searches are returned too, so that the caller can repeat them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from vidal import ids, schema
from vidal.config.recipe import Recipe
from vidal.errors import FATAL, RecordError
from vidal.pipeline.ledger import Outcome, outcome_row
from vidal.pipeline.results import quarantined
from vidal.pipeline.stage import Drop, Runtime
from vidal.records import Candidate, LedgerRow
from vidal.schema import Status, Subject
from vidal.sources.candidate_policy import judge_result
from vidal.sources.fit import fit
from vidal.sources.session import Network
from vidal.sources.settings import Search
from vidal.sources.ytdlp import YtDlpSearch

STAGE = "discover"


@dataclass(frozen=True)
class Query:
    """One term for one search. search_index: the search's index in the recipe; limit: the largest number of results."""

    search_index: int
    term: str
    limit: int

    def id(self, recipe: Recipe) -> str:
        """Returns the id under which the ledger records the query if it fails."""
        return ids.candidate_id(recipe.search[self.search_index].name, self.term, None, None)


@dataclass
class SearchResults:
    """The results of queries. candidates: by id. outcomes: ledger rows of failed queries and dropped results. failed: failed queries."""

    candidates: dict[str, Candidate] = field(default_factory=dict)
    outcomes: list[LedgerRow] = field(default_factory=list)
    failed: list[Query] = field(default_factory=list)


def plan_queries(recipe: Recipe, terms: Iterable[str], weights: dict[str, float]) -> list[Query]:
    """Returns one query for each pair of a term and a search. Its limit is the search's per_term times the term's weight, rounded.

    A query with the limit 0 is left out. weights: the weights, by term. A term that is missing in `weights` has the weight 1.
    """
    return [
        Query(index, term, limit)
        for term in terms
        for index, search in enumerate(recipe.search)
        if (limit := round(search.per_term * weights.get(term, 1.0)))
    ]


def run_queries(recipe: Recipe, runtime: Runtime, queries: Iterable[Query]) -> SearchResults:
    """Runs the queries one after the other. Raises RunEndedError if queries failed because the driver of the run is gone."""
    network, results, dropped = Network(recipe, runtime), SearchResults(), dict[str, LedgerRow]()
    for query in queries:
        search = recipe.search[query.search_index]
        try:
            candidates = _ask_source(network, search, query)
        except RecordError as error:
            results.failed.append(query)
            results.outcomes.append(_failed_row(search, query, error, recipe))
            continue
        for candidate in candidates:
            if drop := judge_result(candidate, search, recipe):
                dropped.setdefault(candidate["candidate_id"], _dropped_row(candidate, drop))
            else:
                _add_candidate(results.candidates, candidate, query.term)
    if results.failed:
        runtime.check_alive()
    results.outcomes += [row for id_, row in dropped.items() if id_ not in results.candidates]
    return results


def _ask_source(network: Network, search: Search, query: Query) -> list[Candidate]:
    """Returns the results of one query. Raises RecordError if the search fails.

    If the cause is an unexpected exception, the reason of the RecordError is `quarantined`.
    """
    text = search.query.format(term=query.term)
    try:
        key = text if isinstance(search, YtDlpSearch) else None
        results, _ = network.call(lambda sources: sources.for_search(search).search(text, query.limit), key)
        candidates = [fit(result) for result in results]
        schema.table(candidates, schema.CANDIDATES)
    except (RecordError, *FATAL):
        raise
    except Exception as error:
        raise quarantined(error) from error
    return candidates


def _add_candidate(candidates: dict[str, Candidate], candidate: Candidate, term: str) -> None:
    """Adds a candidate. A candidate that several terms found becomes one row with all of these terms."""
    row = candidates.setdefault(candidate["candidate_id"], {**candidate, "search_terms": []})
    if term not in row["search_terms"]:
        row["search_terms"].append(term)


def _dropped_row(candidate: Candidate, drop: Drop) -> LedgerRow:
    outcome = Outcome(Status.DROPPED, drop.reason, f"{candidate['url']}: {drop.detail}")
    return outcome_row(Subject.CANDIDATE, candidate["candidate_id"], STAGE, outcome)


def _failed_row(search: Search, query: Query, error: RecordError, recipe: Recipe) -> LedgerRow:
    detail = f"search {search.name} {query.term!r}: {error.detail}"
    outcome = Outcome(Status.FAILED, error.reason, detail, error.transient, error.attempts)
    return outcome_row(Subject.CANDIDATE, query.id(recipe), STAGE, outcome)
