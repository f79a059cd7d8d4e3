"""Reads and writes the stored parts, and says whether they are up to date. A part is a batch of the candidates of a shard."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import pyarrow as pa

from vidal import ids, schema
from vidal.config.recipe import Recipe
from vidal.pipeline.incremental import identity_of
from vidal.pipeline.recent_tables import RECENT
from vidal.pipeline.stage import Part, Stage, WorkIdentity
from vidal.records import LedgerRow, rows_of
from vidal.storage import layout
from vidal.storage.storage import Storage
from vidal.storage.tables import table_metadata, tagged


def inputs_digest(stage: Stage, storage: Storage, part: Part) -> str:
    """Returns a hash of the contents of the tables that a stage reads for a part."""
    names = [layout.part_table(name, part.shard, part.index) for name in stage.reads]
    return ids.fingerprint([storage.metadata(name)["content"] for name in names])


def read_inputs(stage: Stage, storage: Storage, part: Part, run_id: str) -> tuple[list[pa.Table], str]:
    """Returns the tables that a stage reads, in order, and a hash of their contents. Takes at most one request per table."""
    names = [layout.part_table(name, part.shard, part.index) for name in stage.reads]
    tables = [RECENT.read(storage, name, run_id) for name in names]
    return tables, ids.fingerprint([table_metadata(table.schema)["content"] for table in tables])


def stored_metadata(stage: Stage, storage: Storage, part: Part) -> dict[str, str] | None:
    """Returns the metadata of the stored part; None if there is none."""
    return storage.metadata_if_present(layout.part_table(stage.name, part.shard, part.index))


def is_done(stage: Stage, recipe: Recipe, storage: Storage, part: Part) -> bool:
    """Returns whether a part is stored and up to date.

    A stored part is up to date under three conditions:

    1. No record of the part is to be tried again.
    2. The inputs of the part have not changed.
    3. The versions of the code, the settings and the weights have not changed. With engine.keep_stale, the versions may have changed.
    """
    stored = stored_metadata(stage, storage, part)
    return stored is not None and is_current(stored, stage, recipe, storage, part)


def is_current(stored: dict[str, str], stage: Stage, recipe: Recipe, storage: Storage, part: Part) -> bool:
    """Returns whether a stored part is up to date. The docstring of is_done says what this means. stored: the metadata of the part."""
    if stored.get("quarantined", "0") != "0" or stored.get("awaiting", "0") != "0":
        return False
    return is_made_by(stored, stage.identity(recipe), recipe.engine.keep_stale) and (
        stored.get("inputs") == inputs_digest(stage, storage, part)
    )


def is_made_by(stored: dict[str, str], identity: WorkIdentity, keep_stale: bool) -> bool:
    """Returns whether a part was made by the work that `identity` describes: with the same versions, settings and weights.

    stored: the metadata of the part. keep_stale: ignores the versions, so that results of an earlier vidal count too.
    """
    made_by = identity_of(stored)
    return made_by is not None and (made_by == identity or (keep_stale and made_by.choices == identity.choices))


def commit_part(
    storage: Storage,
    name: str,
    rows: Sequence[Mapping[str, object]],
    outcomes: Sequence[LedgerRow],
    table_schema: pa.Schema,
    metadata: dict[str, str],
    cost: dict[str, str] | None = None,
) -> pa.Table:
    """Stores the ledger of a part, then its table. So a stored table always has its ledger. Returns the table.

    cost: what the work has cost. It is kept with the ledger and not with the table, because it differs from run to run.
    """
    table = schema.table(rows, table_schema)
    tags = {**metadata, "content": schema.content(table), "rows": str(len(rows))}
    storage.write_table(f"{name}.ledger.parquet", schema.table(outcomes, schema.LEDGER), cost)
    storage.write_table(f"{name}.parquet", table, tags)
    RECENT.forget(storage, f"{name}.parquet")
    return tagged(table, tags)


def outcomes_of(storage: Storage, stages: Iterable[Stage], shard: int, parts: Iterable[int]) -> list[LedgerRow]:
    """Returns all ledger rows that the stages wrote for these parts of a shard."""
    names = [layout.part(stage.name, shard, part) for stage in stages for part in parts]
    return [row for name in names for row in rows_of(storage.read_table(f"{name}.ledger.parquet"), LedgerRow)]
