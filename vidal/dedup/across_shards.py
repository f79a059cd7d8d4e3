"""Marks copies across the shards of a dataset, in the column `duplicate_of`. The copies are never removed.

Of several copies, the one in the lowest shard is not marked: it counts as the original. So the marks depend on which shards exist, and
not on the order in which they were built.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from vidal import ids
from vidal.dedup.compare import nearest_of
from vidal.dedup.known_pairs import Say, Stamps, Workers, find_pairs, identity, this_process
from vidal.dedup.settings import Duplicates
from vidal.dedup.stored_signatures import SHARD_ROWS, upgrade
from vidal.schema import STR
from vidal.storage import layout
from vidal.storage.locks import exclusive
from vidal.storage.storage import Storage

# The lock expires after this time: the comparison of a large dataset takes hours.
_MARKING_S = 6 * 3600.0
# How many manifests of a dataset on an object store are read at the same time.
_AT_ONCE = 16


@dataclass(frozen=True)
class Mark:
    """The mark of a clip that is a copy. of: the clip_id of the original. split: the split of the original.

    The copy gets this split too, so that no model is trained on copies of its test clips.
    """

    of: str
    split: str | None


# The copies of a shard, by clip_id.
Marks = Mapping[str, Mark]


def mark_copies(
    storage: Storage,
    settings: Duplicates,
    workers: Workers = this_process,
    *,
    wait_s: float = 600.0,
    say: Say = lambda line: None,
) -> dict[int, int]:
    """Sets `duplicate_of` in the manifests of all shards. Returns how many clips of each shard are marked.

    workers: starts the processes that compare the clips. say: receives a line for each step. A shard that another process commits
    meanwhile is compared as well. Raises LockedError if another process is marking copies and does not end within wait_s seconds.
    """
    with exclusive(storage, layout.MARKING, wait_s, expiry_s=_MARKING_S):
        compared: Stamps | None = None
        marks: dict[int, Marks] = {}
        while True:
            signatures, manifests = _signatures(storage), storage.stamps("")
            if signatures != compared:
                marks, compared = _marks(storage, settings, signatures, workers, say), signatures
            if not _rewrite_all(storage, marks):
                state = {"settings": identity(settings), "signatures": signatures, "manifests": manifests}
                storage.write(layout.MARKED, json.dumps(state, sort_keys=True).encode())
                return {shard: len(own) for shard, own in marks.items()}


def is_marked(storage: Storage, settings: Duplicates) -> bool:
    """Returns whether copies have been marked, and neither the settings nor the shards have changed since."""
    content = storage.read_if_present(layout.MARKED)
    if content is None:
        return False
    state = json.loads(content)
    if state["settings"] != identity(settings) or "manifests" not in state:
        return False
    stamps = {str(shard): stamp for shard, stamp in _signatures(storage).items()}
    return bool(state["signatures"] == stamps and state["manifests"] == storage.stamps(""))


def _signatures(storage: Storage) -> Stamps:
    """Returns a stamp for each shard that has a manifest, by the number of the shard.

    The stamp of a shard changes when its file of signatures is written again.
    """
    committed = set(layout.shards_in(storage.names("")))
    stamps = storage.stamps(layout.SIGNATURES)
    lacking = committed - set(layout.shards_in(stamps))
    if lacking and (earlier := lacking & set(layout.shards_in(storage.names(layout.EARLIER_SIGNATURES)))):
        upgrade(storage, sorted(earlier))
        stamps = storage.stamps(layout.SIGNATURES)
    names = {number: layout.manifest(number) for number in layout.shards_in(stamps)}
    return {number: stamps[name] for number, name in names.items() if number in committed}


def _marks(storage: Storage, settings: Duplicates, stamps: Stamps, workers: Workers, say: Say) -> dict[int, Marks]:
    clips = _read_clips(storage, sorted(stamps))
    exact = _same_bytes(clips) if settings.exact else {}
    counts = dict.fromkeys(stamps, 0) | (clips["number"] // SHARD_ROWS).value_counts().to_dict()
    pairs = find_pairs(storage, settings, stamps, counts, workers, say)
    # A shard may have been committed meanwhile. Its new clips are marked in the next round, because its stamp has changed.
    pairs = pairs.at(np.isin(pairs.later, clips["number"]) & np.isin(pairs.earlier, clips["number"]))
    nearest = nearest_of(pairs, exact)
    of = {later: int(pairs.earlier[place]) for later, place in nearest.items()}
    # The first clip with the same bytes may itself be a copy of another clip.
    of |= {later: of.get(first, first) for later, first in exact.items()}
    rows = pd.Series(np.arange(len(clips)), clips["number"])
    copies = clips.iloc[rows[list(of)]]
    keepers = clips.iloc[rows[list(of.values())]]
    marks: dict[int, dict[str, Mark]] = {shard: {} for shard in stamps}
    for number, clip_id, keeper, split in zip(of, copies["clip_id"], keepers["clip_id"], keepers["split"], strict=True):
        marks[number // SHARD_ROWS][clip_id] = Mark(keeper, None if pd.isna(split) else split)
    return dict(marks)


def _read_clips(storage: Storage, shards: list[int]) -> pd.DataFrame:
    """Returns a row for each clip of the shards: number, clip_id, split, source_sha256, start_s, duration_s.

    number: identifies the clip in the dataset; the rows are sorted by it.
    """
    columns = ["clip_id", "split", "source_sha256", "start_s", "duration_s"]
    with ThreadPoolExecutor(1 if storage.is_local else _AT_ONCE) as threads:
        tables = list(threads.map(lambda shard: storage.read_columns(layout.signatures(shard), columns), shards))
    numbers = [shard * SHARD_ROWS + np.arange(len(table)) for shard, table in zip(shards, tables, strict=True)]
    whole = pa.concat_tables(tables) if tables else pa.table({name: [] for name in columns})
    frame: pd.DataFrame = whole.to_pandas(types_mapper={STR: pd.ArrowDtype(STR)}.get)
    return frame.assign(number=np.concatenate([np.zeros(0, np.int64), *numbers]))


def _same_bytes(clips: pd.DataFrame) -> dict[int, int]:
    """Finds copies: clips with the same start and duration, whose source files have the same bytes.

    Returns {number of a copy: number of the first of these clips}.
    """
    source = ["source_sha256", "start_s", "duration_s"]
    alike = clips[clips.duplicated(source, keep=False)]
    first = alike.groupby(source, dropna=False)["number"].transform("min")
    is_copy = alike["number"] != first
    return dict(zip(alike["number"][is_copy].tolist(), first[is_copy].tolist(), strict=True))


def _rewrite_all(storage: Storage, marks: Mapping[int, Marks]) -> bool:
    """Writes the marks of copies into the manifests that lack them. Returns whether any manifest was rewritten. marks: by shard."""
    with ThreadPoolExecutor(1 if storage.is_local else _AT_ONCE) as threads:
        return any(list(threads.map(lambda shard: _rewrite(storage, shard, marks[shard]), marks)))


def _digest(marks: Marks) -> str:
    """Returns a hash of the marks of copies, to store in the metadata of the manifest; "" if there are none."""
    return ids.fingerprint(sorted([clip_id, mark.of, mark.split] for clip_id, mark in marks.items())) if marks else ""


def _rewrite(storage: Storage, shard: int, marks: Marks) -> bool:
    """Writes the marks of copies into the manifest of a shard, unless it has them already. Returns whether it was rewritten.

    The lock of the shard is held meanwhile, so that no commit of the shard interferes.
    """
    name = layout.manifest(shard)
    with exclusive(storage, layout.lock(shard)):
        metadata = storage.metadata(name)
        if metadata.get("copies", "") == _digest(marks):
            return False
        table = storage.read_table(name)
        stored = storage.read_columns(layout.signatures(shard), ["clip_id", "split"])
        splits = dict(zip(stored["clip_id"].to_pylist(), stored["split"].to_pylist(), strict=True))
        splits |= {clip_id: mark.split for clip_id, mark in marks.items()}
        clips = table["clip_id"].to_pylist()
        # Signatures of an earlier version have no splits: those of the manifest stay.
        own = zip(clips, table["split"].to_pylist(), strict=True)
        columns = {
            "duplicate_of": [marks[clip].of if clip in marks else None for clip in clips],
            "split": [splits.get(clip) or split for clip, split in own],
        }
        for column, values in columns.items():
            table = table.set_column(table.schema.get_field_index(column), column, pa.array(values, STR))
        kept = {key: value for key, value in metadata.items() if key != "copies"}
        storage.write_table(name, table, {**kept, "copies": _digest(marks)} if marks else kept)
        return True
