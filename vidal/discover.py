"""The candidates of a shard: found once, frozen in parts, so that a build that is taken up again works on the same list."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from vidal import ids, ledger, schema
from vidal.config import Recipe, Search
from vidal.crawl.governor import Governor
from vidal.crawl.guard import Guard
from vidal.errors import RecordError, UserError
from vidal.schema import Status, Subject
from vidal.sources import Candidate, catalogue
from vidal.sources.ytdlp import YtDlp
from vidal.stage import Part, Record, Runtime, code_digest, commit_part
from vidal.storage import Storage, part_name, shard_name
from vidal.terms import labels
from vidal.terms.build import build as build_terms

STAGE = "discover"
TERMS = "_stages/terms/terms.parquet"
_CODE = (
    "vidal.discover",
    "vidal.terms.build",
    "vidal.terms.labels",
    "vidal.terms.tagging",
    "vidal.sources.catalogue",
    "vidal.sources.ytdlp",
    "vidal.schema",
)


def fingerprint(recipe: Recipe) -> str:
    """Changes when the recipe, the code or the catalogue's content could give other candidates."""
    settings = recipe.model_dump(mode="json", include={"shards", "shard_candidates", "terms", "search", "limit"})
    listed = ids.sha256(Path(recipe.catalogue).read_bytes()) if recipe.catalogue else ids.fingerprint(_lists(recipe))
    return ids.fingerprint([settings, recipe.engine.part_size, listed, [code_digest(module) for module in _CODE]])


def shard_count(recipe: Recipe) -> int:
    """How many shards the recipe's terms or its catalogue make."""
    if recipe.catalogue is None:
        return recipe.shards
    return -(-len(catalogue.read(recipe.catalogue)) // recipe.shard_candidates)


def parts(storage: Storage, recipe: Recipe, shard: int) -> list[Part] | None:
    """The frozen parts, or None where they are missing or stale."""
    name = _done_name(shard)
    if not storage.exists(name):
        return None
    done = json.loads(storage.read(name))
    if done["fingerprint"] != fingerprint(recipe):
        return None
    return [Part(shard, index) for index in range(done["parts"])]


def discover(recipe: Recipe, runtime: Runtime) -> list[Part]:
    """Finds and freezes the candidates of a shard. A search that fails is in the ledger, as a candidate that failed."""
    storage = Storage(runtime.out)
    outcomes: list[Record] = []
    if recipe.catalogue:
        size = recipe.shard_candidates
        rows = catalogue.read(recipe.catalogue)[runtime.shard * size : (runtime.shard + 1) * size]
    else:
        rows = _search_all(recipe, runtime, storage, outcomes)
    rows = [{**row, "shard": runtime.shard} for row in rows[: recipe.limit]]
    size = recipe.engine.part_size
    found = [Part(runtime.shard, index) for index in range(max(1, -(-len(rows) // size)))]
    for part in found:
        chunk = rows[part.index * size : (part.index + 1) * size]
        ledger_rows = outcomes if part.index == 0 else []
        commit_part(storage, part_name(STAGE, part.shard, part.index), chunk, ledger_rows, schema.CANDIDATES, {})
    done = {"fingerprint": fingerprint(recipe), "parts": len(found)}
    storage.write(_done_name(runtime.shard), json.dumps(done).encode())
    return found


def _done_name(shard: int) -> str:
    return f"_stages/{STAGE}/{shard_name(shard)}/done.json"


def _lists(recipe: Recipe) -> list[list[str]]:
    return [labels.read(listed) for listed in recipe.terms.lists]


def _search_all(recipe: Recipe, runtime: Runtime, storage: Storage, outcomes: list[Record]) -> list[Candidate]:
    if not recipe.search:
        raise UserError(f"recipe {recipe.name} names no search: give your own list with --catalogue FILE")
    terms = build_terms(recipe)
    storage.write_table(TERMS, terms)
    source = YtDlp(recipe.crawl, runtime.endpoints)
    governor = Governor(recipe.crawl)
    guard = Guard.of(recipe.crawl, runtime.allow_hosts)
    merged: dict[str, Candidate] = {}
    with guard.on():
        for search, term in _queries(recipe, runtime.shard, terms.to_pylist()):
            try:
                found = _search(source, governor, search, term)
            except RecordError as error:
                outcomes.append(_failed_search(search, term, error))
                continue
            for candidate in found:
                known = merged.setdefault(candidate["candidate_id"], {**candidate, "search_terms": []})
                if term not in known["search_terms"]:
                    known["search_terms"].append(term)
    return list(merged.values())


def _queries(recipe: Recipe, shard: int, terms: list[Record]) -> Iterator[tuple[Search, str]]:
    for term in terms:
        if term["shard"] == shard:
            for search in recipe.search:
                yield search, term["term"]


def _search(source: YtDlp, governor: Governor, search: Search, term: str) -> list[Candidate]:
    query = search.query.format(term=term)
    found, _ = governor.call(search.key, lambda: source.search(query, search.per_term, search.key))
    return found


def _failed_search(search: Search, term: str, error: RecordError) -> Record:
    id_ = ids.candidate_id(search.key, term, None, None)
    detail = f"search {search.key} {term!r}: {error.detail}"
    return ledger.row(
        Subject.CANDIDATE,
        id_,
        STAGE,
        Status.FAILED,
        error.reason,
        detail=detail,
        transient=error.transient,
        attempts=error.attempts,
    )
