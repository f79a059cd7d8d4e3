"""Splits a catalogue into one table of candidates per shard. It is read once, as a stream; afterwards a shard reads only its table."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from itertools import islice

from vidal import ids, schema
from vidal.config.recipe import Recipe
from vidal.errors import UserError
from vidal.records import Candidate, rows_of
from vidal.sources.catalogue import read_catalogue
from vidal.sources.catalogue_files import Catalogue
from vidal.storage import layout
from vidal.storage.storage import Storage


@dataclass(frozen=True)
class Split:
    """A catalogue and the shards that it was split into.

    stamp: identifies the files when they were last known to have this hash. choices: the settings of the recipe that matter.
    """

    sha256: str
    stamp: list[str]
    choices: str
    candidates: int
    shards: int


def stored_split(storage: Storage) -> Split | None:
    """Returns the split that a dataset holds; None if it has none."""
    content = storage.read_if_present(layout.CATALOGUE_SPLIT)
    return Split(**json.loads(content)) if content else None


def split_catalogue(recipe: Recipe, storage: Storage) -> Split:
    """Splits the recipe's catalogue into `_catalogue/`, unless it was split before.

    Raises UserError if the catalogue cannot be read, or if it has changed since it was split; nothing is then touched.
    """
    split = stored_split(storage)
    if split is None:
        try:
            return _split(recipe, storage)
        except UserError:
            storage.remove_folder(layout.CATALOGUE)
            raise
    if split.choices != _choices(recipe):
        raise UserError(
            f"{storage.uri} has split its catalogue with other columns or shard_candidates: {_remedy(storage)}"
        )
    files = Catalogue(str(recipe.catalogue))
    if files.stamp() == split.stamp:
        return split
    if files.sha256() != split.sha256:
        raise UserError(f"{files.where} has changed since it was split into {storage.uri}: {_remedy(storage)}")
    split = replace(split, stamp=files.stamp())
    _store(storage, split)
    return split


def candidates_of(storage: Storage, shard: int) -> list[Candidate]:
    """Returns the candidates of a shard, in the order of the catalogue."""
    return rows_of(storage.read_table(layout.catalogue(shard)), Candidate)


def digest_of(storage: Storage, shard: int) -> str:
    """Returns the identity of the candidates of a shard; "" if the catalogue has no such shard."""
    return (storage.metadata_if_present(layout.catalogue(shard)) or {}).get("content", "")


def _remedy(storage: Storage) -> str:
    return f"choose another --out, or delete {storage.uri}/{layout.CATALOGUE} to split it again and rebuild the shards that differ"


def _choices(recipe: Recipe) -> str:
    return ids.fingerprint([recipe.columns, recipe.shard_candidates])


def _split(recipe: Recipe, storage: Storage) -> Split:
    stamp = Catalogue(str(recipe.catalogue)).stamp()
    digest = sha256()
    candidates = shards = 0
    for shard, rows in enumerate(
        _shards(read_catalogue(str(recipe.catalogue), recipe.columns, digest), recipe.shard_candidates)
    ):
        table = schema.table([{**row, "shard": shard} for row in rows], schema.CANDIDATES)
        storage.write_table(layout.catalogue(shard), table, {"content": schema.content(table)})
        candidates, shards = candidates + len(rows), shard + 1
    split = Split(digest.hexdigest(), stamp, _choices(recipe), candidates, shards)
    _store(storage, split)
    return split


def _shards(candidates: Iterable[Candidate], size: int) -> Iterator[list[Candidate]]:
    """Yields the candidates in groups of this size; the last may be smaller."""
    iterator = iter(candidates)
    while group := list(islice(iterator, size)):
        yield group


def _store(storage: Storage, split: Split) -> None:
    storage.write(layout.CATALOGUE_SPLIT, json.dumps(asdict(split), indent=1).encode())
