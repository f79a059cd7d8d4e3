"""The candidates of a shard. They are found once and stored in parts, so that an interrupted build resumes with the same list."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any, TypedDict, cast

import pyarrow as pa

from vidal import ids, schema
from vidal.config.recipe import Recipe
from vidal.dataset.listing_split import candidates_of, digest_of, refused_of, stored_split
from vidal.errors import UserError
from vidal.pipeline.parts import commit_part
from vidal.pipeline.stage import Part, Runtime, WorkIdentity
from vidal.records import Candidate, LedgerRow, rows_of
from vidal.schema import Reason
from vidal.sources import search
from vidal.sources.search import Query, SearchResults
from vidal.storage import layout
from vidal.storage.storage import Storage
from vidal.terms import build as terms_build
from vidal.terms import corpora, tag_partition
from vidal.terms.build import Map

STAGE = search.STAGE
# Raise this whenever a change of the code lets the same settings find other candidates: stored candidates are then found again.
VERSION = 1


def identity(recipe: Recipe, storage: Storage, shard: int) -> WorkIdentity:
    """Returns the identity of the work that finds the candidates of a shard: the versions of the code, and a hash.

    The hash covers the settings that affect the candidates. For a catalogue or collection, the hash also covers the entries of the shard.
    For searches, the hash also covers the search terms.
    """
    settings = recipe.model_dump(
        mode="json", include={"shards", "shard_candidates", "terms", "search", "limit", "columns"}
    )
    listed = digest_of(storage, shard) if recipe.listing else _database(recipe)
    choices = [settings, recipe.engine.part_size, listed, None if recipe.listing else _limits(recipe)]
    versions = {"discover": VERSION, "terms": terms_build.VERSION, "keywords": tag_partition.VERSION}
    return WorkIdentity(versions, ids.fingerprint(choices))


def _limits(recipe: Recipe) -> list[Any]:
    """Returns the settings that drop search results before they become candidates, see vidal.sources.candidate_policy."""
    owners = recipe.crawl.model_dump(mode="json", include={"licences", "licence_unknown", "block_uploaders"})
    return [recipe.duration_max_s(), owners]


def shard_count(recipe: Recipe, storage: Storage) -> int | None:
    """Returns the number of shards of a build; None if it depends on a catalogue or collection that has not been split yet."""
    if recipe.listing is None:
        return recipe.shards
    split = stored_split(storage)
    return split.shards if split else None


def parts(storage: Storage, recipe: Recipe, shard: int) -> list[Part] | None:
    """Returns the stored parts of a shard; None if there are none, or if other settings or other versions of the code made them.

    With engine.keep_stale, parts that other versions made are returned too.
    """
    done = _done_if_present(storage, shard)
    if done is None:
        return None
    before, now = WorkIdentity(done["versions"], done["choices"]), identity(recipe, storage, shard)
    if before.choices != now.choices or (before != now and not recipe.engine.keep_stale):
        return None
    return [Part(shard, index) for index in range(done["parts"])]


def is_found(storage: Storage, shard: int) -> bool:
    """Returns whether candidates of the shard are stored, whichever settings and versions found them."""
    return storage.read_if_present(layout.discovered(shard)) is not None


def made_by(storage: Storage, shard: int) -> WorkIdentity:
    """Returns the settings, and the versions of the code, with which the stored candidates were found."""
    done = _done(storage, shard)
    return WorkIdentity(done["versions"], done["choices"])


def part_count(storage: Storage, shard: int) -> int:
    """Returns how many parts the candidates of a shard are stored in."""
    return int(_done(storage, shard)["parts"])


class _Failed(TypedDict):
    """A stored query that has failed. A later build can repeat it.

    search_index: the index of the search in the recipe. term: the search term. limit: the largest number of results.
    """

    search_index: int
    term: str
    limit: int


class _Done(TypedDict):
    """The content of the file that marks the candidates of a shard as complete. parts: how many parts they fill."""

    versions: dict[str, int]
    choices: str
    parts: int
    failed: list[_Failed]


def _done(storage: Storage, shard: int) -> _Done:
    done: _Done = json.loads(storage.read(layout.discovered(shard)))
    return done


def _done_if_present(storage: Storage, shard: int) -> _Done | None:
    content = storage.read_if_present(layout.discovered(shard))
    return cast("_Done", json.loads(content)) if content else None


def set_part_count(storage: Storage, shard: int, count: int) -> None:
    done = _done(storage, shard)
    storage.write(layout.discovered(shard), json.dumps({**done, "parts": count}).encode())


def state(storage: Storage, shard: int) -> str:
    """Returns a hash that describes the stored candidates and the searches that are marked to be repeated; "" if there are neither.

    A commit writes this hash into the summary of the shard. If the hash is different later, the shard must be committed again.
    """
    contents = [storage.read_if_present(name) for name in (layout.discovered(shard), layout.asked_again(shard))]
    return ids.sha256(b"".join(content or b"" for content in contents)) if any(contents) else ""


def discover(recipe: Recipe, runtime: Runtime, shard: int, spread: Map | None = None) -> list[Part]:
    """Finds and stores the candidates of a shard. The ledger records a failed search as a failed candidate.

    spread: a parallel map over the cluster, which computes the search terms of large corpora; None computes them in this process.
    """
    storage = Storage(runtime.out)
    results = SearchResults()
    if recipe.listing:
        rows = candidates_of(storage, shard)
        results.outcomes += refused_of(storage, shard)
    else:
        terms = _terms(recipe, storage, shard, spread)
        results = search.run_queries(recipe, runtime, search.plan_queries(recipe, terms, _weights(recipe)))
        rows = iter(results.candidates.values())
    count = _freeze(storage, recipe, shard, itertools.islice(rows, recipe.limit), 0)
    if not count:
        _commit(storage, Part(shard, 0), [], [])
        count = 1
    _record(storage, Part(shard, 0), results.outcomes)
    failed = [asdict(query) for query in results.failed]
    done = {**asdict(identity(recipe, storage, shard)), "parts": count, "failed": failed}
    storage.write(layout.discovered(shard), json.dumps(done).encode())
    return [Part(shard, index) for index in range(count)]


def search_again(recipe: Recipe, runtime: Runtime, shard: int) -> list[Part]:
    """Repeats the failed searches that `ask_again` has marked for this.

    New candidates go to new parts. The candidates of old parts stay as they are. Returns all parts, old and new.
    If this function is interrupted, the next run starts it again from the beginning.
    """
    storage = Storage(runtime.out)
    done = _done(storage, shard)
    wanted = set(json.loads(storage.read(layout.asked_again(shard))))
    failed = [Query(**query) for query in done["failed"]]
    repeated = [query for query in failed if query.id(recipe) in wanted]
    results = search.run_queries(recipe, runtime, repeated)
    parts = [Part(shard, index) for index in range(done["parts"])]
    known = {id_ for part in parts for id_ in candidates(storage, part, ["candidate_id"])["candidate_id"].to_pylist()}
    new = [row for id_, row in results.candidates.items() if id_ not in known]
    count = len(parts) + _freeze(storage, recipe, shard, new, len(parts))
    kept = [row for row in outcomes(storage, parts[0]) if row["id"] not in wanted]
    recorded = {row["id"] for row in kept} | known | {row["candidate_id"] for row in new}
    _record(storage, parts[0], [*kept, *(row for row in results.outcomes if row["id"] not in recorded)])
    still_failed = [query for query in failed if query not in repeated] + results.failed
    changed = {"parts": count, "failed": [asdict(query) for query in still_failed]}
    storage.write(layout.discovered(shard), json.dumps({**done, **changed}).encode())
    storage.remove(layout.asked_again(shard))
    return [Part(shard, index) for index in range(count)]


def ask_again(storage: Storage, shard: int, failures: set[str]) -> None:
    """Marks failed searches, so that the next build repeats them. Earlier marks stay. failures: the ids of the searches in the ledger."""
    if failures:
        marked = json.loads(storage.read_if_present(layout.asked_again(shard)) or b"[]")
        storage.write(layout.asked_again(shard), json.dumps(sorted({*marked, *failures})).encode())


def ask_quarantined_again(storage: Storage, shard: int) -> None:
    """Marks the searches that ended in an unexpected exception, so that the next build repeats them.

    Does nothing if searches of the shard are marked already.
    """
    if is_asked_again(storage, shard):
        return
    rows = outcomes(storage, Part(shard, 0))
    ask_again(storage, shard, {row["id"] for row in rows if row["reason"] == Reason.QUARANTINED.value})


def is_asked_again(storage: Storage, shard: int) -> bool:
    return storage.read_if_present(layout.asked_again(shard)) is not None


def outcomes(storage: Storage, part: Part) -> list[LedgerRow]:
    """Returns the ledger rows of failed searches, dropped results and unusable rows of a listing. Only a shard's first part has any."""
    return rows_of(storage.read_table(layout.part_ledger(STAGE, part.shard, part.index)), LedgerRow)


def candidates(storage: Storage, part: Part, columns: list[str] | None = None) -> pa.Table:
    """Returns the candidates of a part, a table of schema.CANDIDATES."""
    return storage.read_table(layout.part_table(STAGE, part.shard, part.index), columns)


def _freeze(storage: Storage, recipe: Recipe, shard: int, rows: Iterable[Candidate], first: int) -> int:
    """Writes the candidates as parts, numbered from `first`. Returns how many parts it wrote."""
    numbered: Iterator[Candidate] = ({**row, "shard": shard} for row in rows)
    count = 0
    while part_rows := list(itertools.islice(numbered, recipe.engine.part_size)):
        _commit(storage, Part(shard, first + count), part_rows, [])
        count += 1
    return count


def _commit(storage: Storage, part: Part, rows: list[Candidate], ledger_rows: list[LedgerRow]) -> None:
    commit_part(storage, layout.part(STAGE, part.shard, part.index), rows, ledger_rows, schema.CANDIDATES, {})


def _record(storage: Storage, part: Part, ledger_rows: list[LedgerRow]) -> None:
    """Stores these rows, the outcomes of the searches, as the ledger of the part."""
    _commit(storage, part, rows_of(candidates(storage, part), Candidate), ledger_rows)


def _database(recipe: Recipe) -> str:
    """Returns a hash of the files with the search terms (the database or the corpora) and of the weights of the terms."""
    weights = _weights(recipe)
    if recipe.terms.database:
        return ids.fingerprint([ids.sha256(_open_database(recipe).read(terms_build.TABLE)), weights])
    return ids.fingerprint([[corpora.identity(corpus) for corpus in recipe.terms.corpora], weights])


def _open_database(recipe: Recipe) -> Storage:
    storage = Storage(str(recipe.terms.database))
    if not storage.exists(terms_build.TABLE):
        raise UserError(
            f"terms.database {recipe.terms.database} holds no {terms_build.TABLE}: run vidal search-terms build"
        )
    return storage


def check_searches(recipe: Recipe) -> None:
    """Raises UserError if a recipe has no searches."""
    if not recipe.search:
        raise UserError(
            f"recipe {recipe.name} has no searches: add some under search, or give a list with --catalogue FILE, or media with --from DIR"
        )


def _terms(recipe: Recipe, storage: Storage, shard: int, spread: Map | None) -> list[str]:
    """Returns the search terms of a shard, from the database that the recipe names.

    If the recipe names no database, one is built in the folder of the dataset.

    spread: a parallel map, which computes the terms of large corpora on the cluster; None computes them in this process.
    """
    check_searches(recipe)
    if recipe.terms.database:
        table = _open_database(recipe).read_table(terms_build.TABLE, ["term", "term_id"])
    else:
        inside = Storage(f"{storage.uri.rstrip('/')}/{layout.TERMS}")
        terms_build.build(recipe, inside, (lambda: spread) if spread else None)
        table = inside.read_table(terms_build.TABLE, ["term", "term_id"])
    terms: list[str] = table.column("term").to_pylist()
    return [term for term in terms if ids.jump_hash(term, recipe.shards) == shard]


def _weights(recipe: Recipe) -> dict[str, float]:
    """Returns the weight of each search term, from the file that the key terms.budget names; {} if this key is not set.

    `vidal search-terms feedback` writes the file. A search for a term asks for per_term results, multiplied by the weight of the term.
    Raises UserError if the file does not exist.
    """
    if not recipe.terms.budget:
        return {}
    table = _open_budget(recipe)
    return dict(zip(table["term"].to_pylist(), table["weight"].to_pylist(), strict=True))


def _open_budget(recipe: Recipe) -> pa.Table:
    folder, _, name = str(recipe.terms.budget).rpartition("/")
    storage = Storage(folder or ".")
    if not storage.exists(name):
        raise UserError(
            f"terms.budget {recipe.terms.budget}: no such file: run vidal search-terms feedback to write it"
        )
    return storage.read_table(name, ["term", "weight"])
