"""An index of the clips of a dataset, one file per shard. Copies across shards are marked in `duplicate_of`, never removed.

The clip in the lowest shard is kept, so the marks depend on which shards exist and not on the order in which they were built.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import cast

import pyarrow as pa

from vidal import ids
from vidal.dedup import within_shard
from vidal.dedup.settings import Duplicates
from vidal.records import IndexedClip
from vidal.schema import STR
from vidal.storage import layout
from vidal.storage.locks import exclusive
from vidal.storage.storage import Storage

# Raise this with any change to which copies the same signatures and settings give.
VERSION = 1
# The comparison of a large dataset takes hours.
_MARKING_S = 6 * 3600.0
# The rows are in the order of the candidates of the shard.
SCHEMA = pa.schema(
    [
        ("clip_id", STR),
        ("kind", STR),
        ("source_sha256", STR),
        ("start_s", pa.float64()),
        ("duration_s", pa.float64()),
        ("signature", pa.binary()),
        ("audio_fingerprint", pa.binary()),
        ("embedding", pa.list_(pa.float32())),
        ("audio_embedding", pa.list_(pa.float32())),
        ("split", STR),
    ]
)


def write_signatures(storage: Storage, shard: int, rows: Sequence[Mapping[str, object]]) -> None:
    """Stores the signatures of the kept clips of a shard for later comparisons.

    rows: of schema.ASSEMBLED, in the order of the candidates.
    """
    table = pa.Table.from_pylist([{name: row[name] for name in SCHEMA.names} for row in rows], schema=SCHEMA)
    storage.write_table(layout.index(shard), table)


def mark_copies(storage: Storage, settings: Duplicates) -> dict[int, int]:
    """Sets `duplicate_of` in the manifests of all shards that the index holds. Returns how many clips of each shard are marked.

    If another process commits a shard meanwhile, the comparison is repeated. Raises StorageError if another process marks
    copies and does not end.
    """
    with exclusive(storage, layout.MARKING, expiry_s=_MARKING_S):
        while True:
            before = _shards(storage)
            marked = _mark(storage, settings, list(before))
            if _shards(storage) == before:
                state = {"shards": before, "settings": _identity(settings)}
                storage.write(layout.MARKED, json.dumps(state).encode())
                return marked


def is_marked(storage: Storage, settings: Duplicates) -> bool:
    """Returns whether copies are marked as mark_copies would mark them now."""
    content = storage.read_if_present(layout.MARKED)
    if content is None:
        return False
    state = json.loads(content)
    shards = {int(shard): stamp for shard, stamp in state["shards"].items()}
    return state["settings"] == _identity(settings) and shards == _shards(storage)


def _identity(settings: Duplicates) -> str:
    return ids.fingerprint([VERSION, settings.model_dump(mode="json", exclude={"dataset_clips_max"})])


def _shards(storage: Storage) -> dict[int, str]:
    """Returns the state of the index of every shard that has a manifest, by the number of the shard."""
    committed = set(layout.shards_in(storage.names("")))
    stamps = storage.stamps(layout.INDEX)
    names = {number: layout.manifest(number) for number in layout.shards_in(stamps)}
    return {number: stamps[name] for number, name in names.items() if number in committed}


def _mark(storage: Storage, settings: Duplicates, shards: list[int]) -> dict[int, int]:
    rows: list[IndexedClip] = []
    for shard in shards:
        # Two shards may hold the same clip, found by the terms of both.
        for row in storage.read_table(layout.index(shard)).to_pylist():
            known = {name: row.get(name) for name in SCHEMA.names}  # An older index has fewer columns.
            clip = cast("IndexedClip", {**known, "clip_id": f"{shard}/{row['clip_id']}"})
            rows.append(clip)
    copies = within_shard.find_copies(rows, settings)
    # A copy has the split of its keeper, so that nothing of what is tested is trained on.
    splits = {row["clip_id"]: row["split"] for row in rows}
    splits |= {key: splits[copy.of] for key, copy in copies.items()}
    keepers = {key: copy.of.partition("/")[2] for key, copy in copies.items()}
    return {shard: _rewrite(storage, shard, keepers, splits) for shard in shards}


def _rewrite(storage: Storage, shard: int, keepers: dict[str, str], splits: dict[str, str]) -> int:
    """Rewrites a manifest under the lock of its shard, so that a commit is neither lost nor seen half done."""
    name = layout.manifest(shard)
    with exclusive(storage, layout.lock(shard)):
        table = storage.read_table(name)
        keys = [f"{shard}/{clip_id}" for clip_id in table["clip_id"].to_pylist()]
        wanted = pa.array([keepers.get(key) for key in keys], STR)
        # An index of an earlier version knows no splits: those of the manifest stay.
        own = table["split"].to_pylist()
        split = pa.array([splits.get(key) or before for key, before in zip(keys, own, strict=True)], STR)
        if table["duplicate_of"].to_pylist() != wanted.to_pylist() or own != split.to_pylist():
            metadata = storage.metadata(name)
            for column, values in (("duplicate_of", wanted), ("split", split)):
                table = table.set_column(table.schema.get_field_index(column), column, values)
            storage.write_table(name, table, metadata)
    count: int = len(wanted) - wanted.null_count
    return count
