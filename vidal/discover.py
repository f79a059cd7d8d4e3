"""The candidates of a shard: found once, frozen in parts, so that a build that is taken up again works on the same list."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa

from vidal import ids, ledger, schema
from vidal.config import Recipe, Search
from vidal.crawl.network import Network
from vidal.errors import RecordError, UserError
from vidal.schema import Status, Subject
from vidal.sources import Candidate, catalogue
from vidal.sources.choice import judge_result
from vidal.stage import Drop, Part, Record, Runtime, code_digest, commit_part
from vidal.storage import Storage, part_name, shard_name
from vidal.terms import build as terms_build
from vidal.terms import corpora
from vidal.terms.build import Map

STAGE = "discover"
TERMS = "_stages/terms"
_CODE = (
    "vidal.discover",
    "vidal.terms.balance",
    "vidal.terms.bucket",
    "vidal.terms.build",
    "vidal.terms.labels",
    "vidal.terms.spill",
    "vidal.terms.tagging",
    "vidal.sources.archive",
    "vidal.sources.catalogue",
    "vidal.sources.choice",
    "vidal.sources.freesound",
    "vidal.sources.peertube",
    "vidal.sources.ytdlp",
    "vidal.schema",
)


def fingerprint(recipe: Recipe) -> str:
    """Changes when the recipe, the code or the catalogue's content could give other candidates."""
    settings = recipe.model_dump(
        mode="json", include={"shards", "shard_candidates", "terms", "search", "limit", "columns"}
    )
    listed = ids.sha256(Path(recipe.catalogue).read_bytes()) if recipe.catalogue else _database(recipe)
    return ids.fingerprint([settings, recipe.engine.part_size, listed, [code_digest(module) for module in _CODE]])


def shard_count(recipe: Recipe) -> int:
    """How many shards the recipe's terms or its catalogue make."""
    if recipe.catalogue is None:
        return recipe.shards
    return -(-len(catalogue.read(recipe.catalogue, recipe.columns)) // recipe.shard_candidates)


def parts(storage: Storage, recipe: Recipe, shard: int) -> list[Part] | None:
    """The frozen parts, or None where they are missing or stale."""
    name = _done_name(shard)
    if not storage.exists(name):
        return None
    done = json.loads(storage.read(name))
    if done["fingerprint"] != fingerprint(recipe):
        return None
    return [Part(shard, index) for index in range(done["parts"])]


def part_count(storage: Storage, shard: int) -> int:
    return json.loads(storage.read(_done_name(shard)))["parts"]


def set_part_count(storage: Storage, shard: int, count: int) -> None:
    done = json.loads(storage.read(_done_name(shard)))
    storage.write(_done_name(shard), json.dumps({**done, "parts": count}).encode())


def state(storage: Storage, shard: int) -> str:
    """Identity of the list of candidates: a manifest says of which it was made."""
    name = _done_name(shard)
    return ids.sha256(storage.read(name)) if storage.exists(name) else ""


def discover(recipe: Recipe, runtime: Runtime, spread: Map | None = None) -> list[Part]:
    """Finds and freezes the candidates of a shard. A search that fails is in the ledger, as a candidate that failed.

    spread: a map over the cluster, for search terms of large corpora.
    """
    storage = Storage(runtime.out)
    outcomes: list[Record] = []
    if recipe.catalogue:
        size = recipe.shard_candidates
        rows = catalogue.read(recipe.catalogue, recipe.columns)[runtime.shard * size : (runtime.shard + 1) * size]
    else:
        rows = _search_all(recipe, runtime, _terms(recipe, storage, runtime.shard, spread), outcomes)
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


def _database(recipe: Recipe) -> str:
    """Identity of the terms' inputs: of the database's bytes, or of the corpora as they lie there."""
    weights = _weights(recipe)
    if recipe.terms.database:
        return ids.fingerprint([ids.sha256(_open_database(recipe).read(terms_build.TABLE)), weights])
    return ids.fingerprint([[corpora.identity(corpus) for corpus in recipe.terms.corpora], weights])


def _open_database(recipe: Recipe) -> Storage:
    storage = Storage(str(recipe.terms.database))
    if not storage.exists(terms_build.TABLE):
        raise UserError(
            f"terms.database {recipe.terms.database} holds no {terms_build.TABLE}: vidal search-terms build"
        )
    return storage


def _terms(recipe: Recipe, storage: Storage, shard: int, spread: Map | None) -> list[str]:
    """The search terms of a shard: of the recipe's database, or of one that is built into the dataset."""
    if not recipe.search:
        raise UserError(f"recipe {recipe.name} names no search: give your own list with --catalogue FILE")
    if recipe.terms.database:
        table = _open_database(recipe).read_table(terms_build.TABLE, ["term", "term_id"])
    else:
        inside = Storage(f"{storage.uri.rstrip('/')}/{TERMS}")
        terms_build.build(recipe, inside, (lambda: spread) if spread else None)
        table = inside.read_table(terms_build.TABLE, ["term", "term_id"])
    return [term for term in table.column("term").to_pylist() if ids.bucket(term, recipe.shards) == shard]


def _weights(recipe: Recipe) -> dict[str, float]:
    """How many times its usual number of results each term may ask for, after `search-terms feedback`."""
    if not recipe.terms.budget:
        return {}
    rows = _open_budget(recipe).to_pylist()
    return {row["term"]: row["weight"] for row in rows}


def _open_budget(recipe: Recipe) -> pa.Table:
    folder, _, name = str(recipe.terms.budget).rpartition("/")
    storage = Storage(folder or ".")
    if not storage.exists(name):
        raise UserError(f"terms.budget {recipe.terms.budget}: no such file: vidal search-terms feedback writes it")
    return storage.read_table(name, ["term", "weight"])


def _search_all(recipe: Recipe, runtime: Runtime, terms: list[str], outcomes: list[Record]) -> list[Candidate]:
    network = Network(recipe, runtime)
    merged: dict[str, Candidate] = {}
    dropped: dict[str, Record] = {}
    weights = _weights(recipe)
    for term in terms:
        for search in recipe.search:
            limit = round(search.per_term * weights.get(term, 1.0))
            if not limit:
                continue
            try:
                found = _search(network, search, term, limit)
            except RecordError as error:
                outcomes.append(_failed_search(search, term, error))
                continue
            for candidate in found:
                if drop := judge_result(candidate, search, recipe):
                    dropped.setdefault(candidate["candidate_id"], _dropped(candidate, drop))
                    continue
                known = merged.setdefault(candidate["candidate_id"], {**candidate, "search_terms": []})
                if term not in known["search_terms"]:
                    known["search_terms"].append(term)
    outcomes += [row for id_, row in dropped.items() if id_ not in merged]
    return list(merged.values())


def _search(network: Network, search: Search, term: str, limit: int) -> list[Candidate]:
    query = search.query.format(term=term)
    found, _ = network.call(lambda sources: sources.of_search(search).search(query, limit))
    return found


def _dropped(candidate: Candidate, drop: Drop) -> Record:
    detail = f"{candidate['url']}: {drop.detail}"
    return ledger.row(Subject.CANDIDATE, candidate["candidate_id"], STAGE, Status.DROPPED, drop.reason, detail=detail)


def _failed_search(search: Search, term: str, error: RecordError) -> Record:
    id_ = ids.candidate_id(search.name, term, None, None)
    detail = f"search {search.name} {term!r}: {error.detail}"
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
