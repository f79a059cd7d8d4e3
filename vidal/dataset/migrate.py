"""Rewrites a dataset of schema version 1 with the current columns, and writes a summary of each shard.

Media and the tables of the stages do not change. A dataset that vidal 0.1.0 built can then be read and exported, but a build cannot
continue it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypedDict, cast

import pyarrow as pa

from vidal import schema
from vidal.config.recipe import Recipe, recipe_from
from vidal.dataset.shard_report import ShardReport
from vidal.dataset.shard_summary import write_summary
from vidal.errors import UserError
from vidal.extra import structured, write_extra
from vidal.pipeline.ledger import Outcome, outcome_row
from vidal.pipeline.stage import WorkIdentity
from vidal.records import FunnelRow, LedgerRow, Scores, Texts, rows_of
from vidal.schema import Reason, Status, Subject, View, map_dict
from vidal.stages.audio.stage import score_tags
from vidal.stages.manifest.split import split_of
from vidal.stages.manifest.stage import declared_scores, manifest_schema
from vidal.stages.order import VIEWS
from vidal.storage import layout
from vidal.storage.storage import Storage


class _OldRow(TypedDict):
    """The columns of a row of version 1 that have changed since, or from which the new columns are computed."""

    clip_id: str
    platform: str
    source_id: str
    scores: Scores
    extra: Texts
    audio_tags: list[str] | None


class _OldShard(TypedDict, total=False):
    rows: dict[str, int]
    funnel: list[FunnelRow]
    reasons: dict[str, int]
    views: dict[str, int]
    tokens: dict[str, int]
    stale: dict[str, int]


class _OldDataset(TypedDict):
    """_dataset.json of version 1, which also contained the results of the shards, by the number of the shard."""

    schema_version: str
    recipe: dict[str, object]
    shards: dict[str, _OldShard]


NewRow = Mapping[str, object]


@dataclass(frozen=True)
class Migrated:
    """The numbers of rewritten shards and clips; zero if the dataset already had the current columns."""

    shards: int = 0
    clips: int = 0


def migrate(out: str) -> Migrated:
    """Rewrites a dataset shard by shard. After an interruption it resumes with the first shard that is not rewritten yet.

    Raises UserError if OUT is not a dataset, or if this version of vidal does not know its schema version.
    """
    storage = Storage(out)
    content = storage.read_if_present(layout.DATASET)
    if content is None:
        raise UserError(
            f"{storage.uri} is not a vidal dataset, because it has no {layout.DATASET}: give the folder of a dataset"
        )
    dataset = json.loads(content)
    if dataset["schema_version"] == schema.SCHEMA_VERSION:
        return Migrated()
    if dataset["schema_version"] != "1":
        raise UserError(
            f"{storage.uri} has schema version {dataset['schema_version']}, but this version of vidal can only migrate version 1: "
            "install the version of vidal that wrote the dataset, or a newer one"
        )
    shards = layout.shards_in(storage.names(""))
    clips = sum(_shard(storage, shard, dataset) for shard in shards)
    kept = {name: dataset[name] for name in ("identity", "work_version") if name in dataset}
    text = json.dumps({**kept, "schema_version": schema.SCHEMA_VERSION}, indent=1, sort_keys=True, ensure_ascii=False)
    storage.write(layout.DATASET, f"{text}\n".encode())
    return Migrated(len(shards), clips)


def _shard(storage: Storage, shard: int, dataset: _OldDataset) -> int:
    name = layout.manifest(shard)
    metadata = storage.metadata(name)
    recipe = recipe_from(dataset["recipe"])
    table = storage.read_table(name)
    if metadata["schema_version"] == "1":
        rows = [_row(row, recipe) for row in rows_of(table, _OldRow)]
        _add_subtitles(storage, shard, [str(row["clip_id"]) for row in rows])
        kept: dict[str, str] = {key: metadata[key] for key in ("recipe", "versions", "choices") if key in metadata}
        storage.write_table(
            name, pa.Table.from_pylist(rows, _columns(rows)), {**kept, "schema_version": schema.SCHEMA_VERSION}
        )
    _summarise(storage, shard, recipe, metadata, dataset["shards"].get(str(shard), {}))
    return int(table.num_rows)


def _row(row: _OldRow, recipe: Recipe) -> NewRow:
    scores: dict[str, float] = map_dict(row["scores"])
    return {
        **row,
        "scores": scores,
        "extra": write_extra(structured(map_dict(row["extra"]))),
        "audio_tags": score_tags(row["audio_tags"] or [], scores),
        "split": split_of(row["platform"], row["source_id"], recipe.split),
    }


def _columns(rows: list[NewRow]) -> pa.Schema:
    """Returns the current schema of the manifest. Scores that the rows have, but that no stage declares any more, are included."""
    names = declared_scores(VIEWS) | {name for row in rows for name in cast("dict[str, float]", row["scores"])}
    columns = manifest_schema(VIEWS)
    kind = pa.struct([(name, pa.float64()) for name in sorted(names)])
    return columns.set(columns.get_field_index("scores"), pa.field("scores", kind))


def _add_subtitles(storage: Storage, shard: int, clips: list[str]) -> None:
    """Adds a ledger row, with the reason no_subtitle, for the view `subtitle` of every clip that has no such row.

    Version 2 made subtitles a view, and every view of a clip needs a row.
    """
    outcomes = rows_of(storage.read_table(layout.ledger(shard)), LedgerRow)
    known = {outcome["id"] for outcome in outcomes}
    absent = Outcome(Status.DROPPED, Reason.NO_SUBTITLE)
    for clip_id in clips:
        id_ = f"{clip_id}/{View.SUBTITLE}"
        if id_ not in known:
            outcomes.append(
                outcome_row(Subject.VIEW, id_, "manifest", absent, parent_id=clip_id, view=View.SUBTITLE.value)
            )
    outcomes.sort(key=lambda outcome: (outcome["subject"], outcome["id"]))
    storage.write_table(layout.ledger(shard), schema.table(outcomes, schema.LEDGER))


def _summarise(storage: Storage, shard: int, recipe: Recipe, metadata: dict[str, str], entry: _OldShard) -> None:
    made_by = WorkIdentity(json.loads(metadata.get("versions", "{}")), metadata.get("choices", ""))
    report = ShardReport(
        shard,
        rows=entry.get("rows", {}),
        funnel=entry.get("funnel", []),
        reasons=entry.get("reasons", {}),
        views=entry.get("views", {}),
        tokens=entry.get("tokens", {}),
        stale=entry.get("stale", {}),
        quarantined=int(metadata.get("quarantined", 0)),
    )
    awaiting = int(metadata.get("awaiting", 0))
    write_summary(storage, recipe, made_by, metadata.get("candidates", ""), awaiting, report)
