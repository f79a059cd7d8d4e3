"""Parts in storage: what one is named, whether it is done, how it commits by rename."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

from vidal import ids, schema
from vidal.config import Recipe
from vidal.stage import Part, Record, Stage
from vidal.storage import Storage, part_name


def part_key(stage: Stage, recipe: Recipe, storage: Storage, part: Part) -> str:
    """Identity of a part's output: the stage's fingerprint and the content of what it reads."""
    inputs = [storage.metadata(f"{part_name(name, part.shard, part.index)}.parquet")["content"] for name in stage.reads]
    return ids.fingerprint([stage.fingerprint(recipe), inputs])


def is_done(stage: Stage, recipe: Recipe, storage: Storage, part: Part) -> bool:
    name = f"{part_name(stage.name, part.shard, part.index)}.parquet"
    if not storage.exists(name):
        return False
    found = storage.metadata(name)
    is_whole = found.get("quarantined") != "1" and found.get("awaiting", "0") == "0"
    return is_whole and found.get("key") == part_key(stage, recipe, storage, part)


def commit_part(
    storage: Storage,
    name: str,
    rows: list[Record],
    outcomes: list[Record],
    table_schema: pa.Schema,
    metadata: dict[str, str],
) -> None:
    """Ledger first, table last: a table that exists has its ledger."""
    table = schema.table(rows, table_schema)
    content = ids.sha256(_ipc(table))
    storage.write_table(f"{name}.ledger.parquet", schema.table(outcomes, schema.LEDGER))
    storage.write_table(f"{name}.parquet", table, {**metadata, "content": content, "rows": str(len(rows))})


def _ipc(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table.combine_chunks())
    return sink.getvalue().to_pybytes()


def outcomes_of(storage: Storage, stages: Iterable[Stage], shard: int, parts: Iterable[int]) -> list[Record]:
    """All ledger rows that the stages wrote for a shard."""
    names = [part_name(stage.name, shard, part) for stage in stages for part in parts]
    return [row for name in names for row in storage.read_table(f"{name}.ledger.parquet").to_pylist()]
