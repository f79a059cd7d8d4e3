"""Splits a listing (a catalogue or a collection) into one table of candidates per shard.

The listing is read once, as a stream; afterwards, the build of a shard reads only its table.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from hashlib import sha256

from vidal import ids
from vidal.config.recipe import Recipe
from vidal.dataset.shard_tables import ShardTables, Tally
from vidal.errors import UserError
from vidal.records import Candidate, LedgerRow, rows_of
from vidal.sources.listing import Listing
from vidal.sources.listings import listing_of
from vidal.storage import layout
from vidal.storage.storage import Storage

_ROWS_AT_ONCE = 1000


@dataclass(frozen=True)
class Split:
    """A listing and the shards that it was split into.

    sha256: the hash of the listing. stamp: the state of its files, such as their sizes and times, when the hash was last computed. While
    the files are in this state, the hash is not computed again. choices: a hash of the settings that affect the split.
    """

    sha256: str
    stamp: list[str]
    choices: str
    candidates: int
    shards: int


def stored_split(storage: Storage) -> Split | None:
    """Returns how the listing of a dataset was split, as stored in the dataset; None if no listing has been split."""
    content = storage.read_if_present(layout.CATALOGUE_SPLIT)
    return Split(**json.loads(content)) if content else None


def split_listing(recipe: Recipe, storage: Storage, say: Callable[[str], None] = lambda line: None) -> Split:
    """Splits the recipe's listing into `_catalogue/`, unless it was split before. say: receives one line when it has been split.

    Raises UserError if no row of the listing can be used, or if the listing or the recipe's `columns` or `shard_candidates` have
    changed since an earlier split. After an error, the dataset is as it was before.
    """
    listing, split = listing_of(recipe), stored_split(storage)
    if split is None:
        try:
            return _split(listing, recipe, storage, say)
        except UserError:
            storage.remove_folder(layout.CATALOGUE)
            raise
    if split.choices != _choices(recipe):
        raise UserError(
            f"columns or shard_candidates have changed since the listing was split into shards: {_remedy(storage)}"
        )
    stamp = listing.stamp()
    if stamp == split.stamp:
        return split
    if listing.sha256() != split.sha256:
        raise UserError(
            f"{listing.where} has changed since it was split into the shards of {storage.uri}: {_remedy(storage)}"
        )
    split = replace(split, stamp=stamp)
    _store(storage, split)
    return split


def candidates_of(storage: Storage, shard: int) -> Iterator[Candidate]:
    """Yields the candidates of a shard, in the order of the listing. To save memory, table rows are converted to dicts in batches."""
    table = storage.read_table(layout.catalogue(shard))
    for start in range(0, table.num_rows, _ROWS_AT_ONCE):
        yield from rows_of(table.slice(start, _ROWS_AT_ONCE), Candidate)


def refused_of(storage: Storage, shard: int) -> list[LedgerRow]:
    """Returns a ledger row for each row of the listing that falls into the shard and could not be used."""
    try:
        return rows_of(storage.read_table(layout.refused(shard)), LedgerRow)
    except FileNotFoundError:
        return []


def digest_of(storage: Storage, shard: int) -> str:
    """Returns the hash of the candidates of a shard; "" if the listing has no such shard."""
    return (storage.metadata_if_present(layout.catalogue(shard)) or {}).get("content", "")


def _remedy(storage: Storage) -> str:
    return f"choose another --out, or delete {storage.uri}/{layout.CATALOGUE}, so that the list is split again and its shards rebuilt"


def _choices(recipe: Recipe) -> str:
    return ids.fingerprint([recipe.columns, recipe.shard_candidates])


def _split(listing: Listing, recipe: Recipe, storage: Storage, say: Callable[[str], None]) -> Split:
    stamp, digest = listing.stamp(), sha256()
    tables = ShardTables(storage, recipe.shard_candidates)
    for listed in listing.candidates(digest):
        tables.add(listed)
    tally = tables.finish()
    if not tally.candidates:
        raise UserError(f"{listing.where}: {_why_nothing(tally)}")
    say(f"{listing.where}: {'; '.join([_counts(tally), *listing.remarks()])}")
    split = Split(digest.hexdigest(), stamp, _choices(recipe), tally.candidates, tally.shards)
    _store(storage, split)
    return split


def _why_nothing(tally: Tally) -> str:
    if not tally.refused:
        return "it has no rows"
    return f"none of its rows can be used: {tally.refused} were refused; the first: {tally.first_refused}"


def _counts(tally: Tally) -> str:
    refused = f"{tally.refused} refused" + (" (the ledger says why)" if tally.refused else "")
    return f"{tally.rows} rows, {tally.merged} merged, {refused}"


def _store(storage: Storage, split: Split) -> None:
    storage.write(layout.CATALOGUE_SPLIT, json.dumps(asdict(split), indent=1).encode())
