"""An index of the clips of a dataset, one file a shard. Copies across shards are marked in `duplicate_of`, never removed.

The clip of the lowest shard is the keeper, so what is marked depends on which shards exist and not on the order of building.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import pyarrow as pa

from vidal.dedup import within_shard
from vidal.dedup.settings import Duplicates
from vidal.records import IndexedClip
from vidal.schema import STR
from vidal.storage import layout
from vidal.storage.storage import Storage

# In the order of the candidates of the shard.
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
    ]
)


def write_signatures(storage: Storage, shard: int, rows: Sequence[Mapping[str, Any]]) -> None:
    """Stores what later comparisons need of the clips that a shard keeps. rows: of schema.ASSEMBLED, in the order of the candidates."""
    table = pa.Table.from_pylist([{name: row[name] for name in SCHEMA.names} for row in rows], schema=SCHEMA)
    storage.write_table(layout.index(shard), table)


def mark_copies(storage: Storage, settings: Duplicates) -> dict[int, int]:
    """Sets `duplicate_of` in the manifests of all shards that the index holds. Returns how many clips of each shard are marked.

    Another process may commit a shard meanwhile: the comparison is repeated until none has.
    """
    while True:
        before = _shards(storage)
        marked = _mark(storage, settings, before)
        if _shards(storage) == before:
            return marked


def _shards(storage: Storage) -> list[tuple[int, str]]:
    """Returns the number and the state of every indexed shard that has a manifest."""
    indexed = layout.shards_in(storage.names(layout.INDEX))
    present = [number for number in indexed if storage.exists(layout.manifest(number))]
    return [(number, str(storage.fs.ukey(storage.path(layout.index(number))))) for number in present]


def _mark(storage: Storage, settings: Duplicates, shards: list[tuple[int, str]]) -> dict[int, int]:
    rows: list[IndexedClip] = []
    for shard, _ in shards:
        # Two shards may hold the very same clip, found by terms of either.
        for row in storage.read_table(layout.index(shard)).to_pylist():
            known = {name: row.get(name) for name in SCHEMA.names}  # An older index has fewer columns.
            clip = cast("IndexedClip", {**known, "clip_id": f"{shard}/{row['clip_id']}"})
            rows.append(clip)
    copies = within_shard.find_copies(rows, settings)
    keepers = {key: copy.of.partition("/")[2] for key, copy in copies.items()}
    return {shard: _rewrite(storage, shard, keepers) for shard, _ in shards}


def _rewrite(storage: Storage, shard: int, keepers: dict[str, str]) -> int:
    name = layout.manifest(shard)
    table = storage.read_table(name)
    wanted = pa.array([keepers.get(f"{shard}/{clip_id}") for clip_id in table["clip_id"].to_pylist()], STR)
    at = table.schema.get_field_index("duplicate_of")
    if table["duplicate_of"].to_pylist() != wanted.to_pylist():
        storage.write_table(name, table.set_column(at, "duplicate_of", wanted), storage.metadata(name))
    count: int = len(wanted) - wanted.null_count
    return count
