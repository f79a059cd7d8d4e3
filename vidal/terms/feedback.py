"""Computes the yield of each search term at each stage from the ledgers of a dataset, and its weight in the next searches."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypedDict

import pyarrow as pa

from vidal import ids
from vidal.errors import UserError
from vidal.records import LedgerRow, Term, rows_of
from vidal.schema import STR, Status, Subject
from vidal.storage import layout
from vidal.storage.storage import Storage

TABLE = "budget.parquet"
RETIRED, KEPT, RAISED = 0.0, 1.0, 2.0

# weight: the next searches for the term ask for this multiple of the recipe's per_term results; 0 means that it is not searched again.
BUDGET = pa.schema(
    [
        ("term", STR),
        ("found", pa.int64()),
        ("fetched", pa.int64()),
        ("dropped", pa.map_(STR, pa.int64())),
        ("kept", pa.int64()),
        ("weight", pa.float64()),
        ("why", STR),
    ]
)


class BudgetRow(TypedDict):
    """A row of budget.parquet. why: the decision about the term: retired, raised, kept or not searched yet.

    found: candidates. fetched: candidates that became clips. kept: clips in the manifest. dropped: other clips, by the stage where they
    ended. weight: the next searches ask for this multiple of per_term results; 0 means that the term is not searched again.
    """

    term: str
    found: int
    fetched: int
    dropped: list[tuple[str, int]]
    kept: int
    weight: float
    why: str


@dataclass
class Yield:
    """What a term has yielded. found: candidates. fetched: candidates that became clips. kept: clips in the manifest.

    may_pass: searches and candidates that failed transiently, and may still yield clips. dropped: clips that did not reach the manifest,
    by the stage where they ended.
    """

    found: int = 0
    fetched: int = 0
    kept: int = 0
    may_pass: int = 0
    dropped: Counter[str] = field(default_factory=Counter)


def feedback(out: Storage, database: Storage, name_search: Callable[[dict[str, object]], str]) -> dict[str, int]:
    """Writes budget.parquet, with the weight of each term in the next searches, beside the terms.

    Returns how many terms have each decision: retired (not searched again), raised (its searches ask for more results), kept, not
    searched yet. A term that gave no clip is retired, unless its search or some of its candidates failed transiently. A term is raised
    if one of its keywords has fewer clips in the manifest than the median keyword.

    out: the dataset. database: the folder of the terms. name_search: returns the name of a search, given its settings.

    Raises UserError if there are no terms, or if no shard of the dataset was built from them.
    """
    if not database.exists("terms.parquet"):
        raise UserError(f"{database.uri} holds no terms.parquet: run vidal search-terms build")
    terms = rows_of(database.read_table("terms.parquet", ["term", "keywords", "shard"]), Term)
    yields = _yields(out, terms, name_search)
    if not yields:
        raise UserError(f"{out.uri} has no committed shard that was built from search terms: build a shard first")
    covered: Counter[str] = Counter()
    for row in terms:
        for keyword in row["keywords"]:
            covered[keyword] += yields[row["term"]].kept if row["term"] in yields else 0
    searched = sorted(covered[keyword] for row in terms if row["term"] in yields for keyword in row["keywords"])
    middle = searched[len(searched) // 2] if searched else 0
    rows = [_row(row["term"], yields.get(row["term"]), [covered[k] for k in row["keywords"]], middle) for row in terms]
    database.write_table(TABLE, pa.Table.from_pylist(rows, schema=BUDGET))
    return dict(Counter(row["why"] for row in rows))


def _row(term: str, term_yield: Yield | None, covered: list[int], middle: int) -> BudgetRow:
    weight, why = _weight(term_yield, covered, middle)
    term_yield = term_yield or Yield()
    return {
        "term": term,
        "found": term_yield.found,
        "fetched": term_yield.fetched,
        "dropped": sorted(term_yield.dropped.items()),
        "kept": term_yield.kept,
        "weight": weight,
        "why": why,
    }


def _weight(term_yield: Yield | None, covered: list[int], middle: int) -> tuple[float, str]:
    if term_yield is None:
        return KEPT, "not searched yet"
    if not term_yield.kept and not term_yield.may_pass:
        return RETIRED, "retired"
    if covered and min(covered) < middle:
        return RAISED, "raised"
    return KEPT, "kept"


def _yields(out: Storage, terms: list[Term], name_search: Callable[[dict[str, object]], str]) -> dict[str, Yield]:
    """Returns how many candidates and clips each term gave, for all terms whose shard was built."""
    yields: dict[str, Yield] = defaultdict(Yield)
    for shard in layout.shards_in(out.names(layout.LEDGERS)):
        searches = [name_search(search) for search in _searches(out, shard)]
        ledger = rows_of(out.read_table(layout.ledger(shard)), LedgerRow)
        waiting = {row["id"] for row in ledger if row["transient"] and row["stage"] == "discover"}
        for term in (row["term"] for row in terms if row["shard"] == shard):
            # The id of a failed search is made from the name of the search and the term.
            yields[term].may_pass += any(ids.candidate_id(search, term, None, None) in waiting for search in searches)
        _count(yields, dict(_terms_of_candidates(out, shard)), ledger)
    return yields


def _searches(out: Storage, shard: int) -> list[dict[str, object]]:
    """Returns the searches of the recipe that the shard was built with."""
    summary = out.read_if_present(layout.summary(shard))
    searches: list[dict[str, object]] = json.loads(summary)["recipe"]["search"] if summary else []
    return searches


def _terms_of_candidates(out: Storage, shard: int) -> Iterator[tuple[str, list[str]]]:
    folder = layout.stage_folder("discover", shard)
    for name in layout.part_tables(out.names(folder)):
        table = out.read_table(f"{folder}/{name}", ["candidate_id", "search_terms"])
        yield from ((row["candidate_id"], row["search_terms"]) for row in table.to_pylist())


def _count(yields: dict[str, Yield], terms: dict[str, list[str]], ledger: Iterable[LedgerRow]) -> None:
    for row in ledger:
        is_candidate = row["subject"] == Subject.CANDIDATE.value
        if not is_candidate and row["subject"] != Subject.CLIP.value:
            continue
        candidate = row["id"] if is_candidate else row["parent_id"] or ""
        for term in terms.get(candidate, []):
            each = yields[term]
            if is_candidate:
                each.found += 1
                each.fetched += row["status"] == Status.KEPT.value
                each.may_pass += bool(row["transient"]) and row["status"] == Status.FAILED.value
            elif row["status"] == Status.KEPT.value:
                each.kept += 1
            else:
                each.dropped[row["stage"]] += 1
