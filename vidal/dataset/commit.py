"""The commit of a shard: sums checked, copies marked, ledger and hashes written, the manifest last, by rename."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any

from vidal import __version__, schema
from vidal.config.recipe import Recipe
from vidal.dataset import discover
from vidal.dedup import across_shards, decontamination, within_shard
from vidal.errors import UserError
from vidal.ids import fingerprint
from vidal.pipeline import ledger
from vidal.pipeline.parts import is_made_by, outcomes_of
from vidal.pipeline.stage import Drop, Part, Record, Stage, WorkIdentity
from vidal.pipeline.staleness import StaleStage, stale_stages
from vidal.schema import Reason, Status, Subject
from vidal.stages.filter import thresholds
from vidal.stages.manifest.stage import manifest_schema
from vidal.stages.order import VIEWS, view_names
from vidal.storage.storage import Storage, part_name, shard_name

DATASET = "_dataset.json"
# How stored work says what made it. Version 1 had hashes of the code and stands in no _dataset.json.
WORK_VERSION = 2


@dataclass(frozen=True)
class Report:
    """What a shard came to.

    funnel: in, kept, dropped and failed of every stage; views: kept by view; contaminated: clips by evaluation set.
    tokens: that the rewriter read (in) and wrote (out). stale: clips that earlier versions of a stage made, by stage.
    failed_views: whose failure is transient; the same build tries them again.
    """

    shard: int
    rows: dict[str, int]
    funnel: list[dict[str, Any]]
    reasons: dict[str, int]
    views: dict[str, int]
    tokens: dict[str, int] = field(kw_only=True, default_factory=dict)
    contaminated: dict[str, int] = field(kw_only=True, default_factory=dict)
    quarantined: int
    failed_views: int = field(kw_only=True, default=0)
    stale: dict[str, int] = field(kw_only=True, default_factory=dict)
    done_before: bool = False
    seconds: float = 0.0
    stage_only: str | None = None

    @property
    def is_empty(self) -> bool:
        return not self.rows and self.stage_only is None

    @property
    def is_faulty(self) -> bool:
        """Whether something that should have worked did not."""
        return bool(self.quarantined or self.failed_views or self.is_empty)


def manifest_name(shard: int) -> str:
    return f"{shard_name(shard)}.parquet"


def ledger_name(shard: int) -> str:
    return f"_ledger/{shard_name(shard)}.parquet"


def sums_name(shard: int) -> str:
    return f"_media/{shard_name(shard)}.sha256"


def shard_identity(stages: list[Stage], recipe: Recipe) -> WorkIdentity:
    """Of everything that decides a shard's rows, but for what its sources say."""
    own = [discover.identity(recipe), *(stage.identity(recipe) for stage in stages)]
    versions = {name: version for each in own for name, version in each.versions.items()}
    marks = [recipe.duplicates.model_dump(mode="json"), decontamination.state(recipe)]
    choices = fingerprint([schema.SCHEMA_VERSION, [each.choices for each in own], *marks])
    return WorkIdentity(versions, choices)


def is_committed(storage: Storage, shard: int, stages: list[Stage], recipe: Recipe) -> bool:
    """Under engine.keep_stale a shard of earlier versions counts, where the recipe's choices are the same."""
    name = manifest_name(shard)
    if not storage.exists(name) or not storage.exists(ledger_name(shard)):
        return False
    stored = storage.metadata(name)
    if stored.get("candidates") != discover.state(storage, shard):
        return False
    is_whole = stored.get("quarantined") == "0" and stored.get("awaiting") == "0"
    return is_whole and is_made_by(stored, shard_identity(stages, recipe), recipe.engine.keep_stale)


def claim(storage: Storage, recipe: Recipe) -> None:
    """Makes OUT this recipe's dataset. Raises UserError where it is another's, or holds something else; touches nothing then."""
    identity = {"recipe": recipe.name, "catalogue": recipe.catalogue and recipe.catalogue.rsplit("/", 1)[-1]}
    if storage.exists(DATASET):
        stored = read_dataset(storage)["identity"]
        if stored != identity:
            raise UserError(
                f"{storage.uri} was built with {_named(stored)}, not {_named(identity)}: choose another --out"
            )
        return
    if storage.names(""):
        raise UserError(f"{storage.uri} holds files and is not a vidal dataset: choose an empty or new --out")
    storage.check_writable()
    dataset = {"identity": identity, "schema_version": schema.SCHEMA_VERSION, "work_version": WORK_VERSION, "shards": {}}
    storage.write(DATASET, _json(dataset))


def read_dataset(storage: Storage) -> dict[str, Any]:
    """_dataset.json, for commands that go on with the work that is stored. Raises UserError where that is another vidal's."""
    dataset: dict[str, Any] = json.loads(storage.read(DATASET))
    if dataset.get("work_version") != WORK_VERSION:
        raise UserError(
            f"{storage.uri} was built by a vidal whose work this one cannot take up: it can be read, validated and exported, "
            "but to build on, choose another --out"
        )
    return dataset


def _named(identity: dict[str, Any]) -> str:
    catalogue = f" on catalogue {identity['catalogue']}" if identity["catalogue"] else ""
    return f"recipe {identity['recipe']}{catalogue}"


def balance(storage: Storage, stages: list[Stage], parts: list[Part]) -> tuple[list[Record], list[dict[str, Any]]]:
    """All ledger rows of the shard and the funnel. Raises BalanceError where the sums of a stage do not hold."""
    shard, indices = parts[0].shard, [part.index for part in parts]
    rows = outcomes_of(storage, stages, shard, indices)
    funnel = [
        ledger.check_stage(
            stage.name, stage.subject, _inputs(storage, stage, parts), _ids(storage, stage.name, stage.key, parts), rows
        )
        for stage in stages
    ]
    return rows, funnel


def _inputs(storage: Storage, stage: Stage, parts: list[Part]) -> set[str]:
    """What arrives at a stage: the records that every table which it reads holds."""
    return set.intersection(*(_ids(storage, name, stage.key, parts) for name in stage.reads))


def _ids(storage: Storage, stage: str, column: str, parts: list[Part]) -> set[str]:
    names = [f"{part_name(stage, part.shard, part.index)}.parquet" for part in parts]
    return {value for name in names for value in storage.read_table(name, [column]).column(column).to_pylist()}


def commit(storage: Storage, stages: list[Stage], recipe: Recipe, parts: list[Part]) -> Report:
    """Raises BalanceError, with nothing committed, where a subject is lost or ends twice."""
    shard = parts[0].shard
    rows, funnel = balance(storage, stages, parts)
    names = [f"{part_name(stages[-1].name, shard, part.index)}.parquet" for part in parts]
    assembled = [row for name in names for row in storage.read_table(name).to_pylist()]
    unfit = thresholds.late(assembled, recipe.filters)
    fit = [row for row in assembled if row["clip_id"] not in unfit]
    copies = within_shard.find(fit, recipe.duplicates)
    searches = outcomes_of(storage, [_DISCOVER], shard, [0])
    final = [_with_drops(row, {**unfit, **copies}) for row in [*searches, *_first_failures(rows)]]
    kept = sorted((row for row in fit if row["clip_id"] not in copies), key=lambda row: row["clip_id"])
    decontamination.mark(kept, recipe)
    ledger.check_terminal(final)
    ledger.check_views({row["clip_id"] for row in kept}, final, view_names())
    funnel.append({"stage": "views", "in": len(assembled), "kept": len(fit), "dropped": len(unfit), "failed": 0})
    funnel.append({"stage": "duplicates", "in": len(fit), "kept": len(kept), "dropped": len(copies), "failed": 0})
    final.sort(key=lambda row: (row["subject"], row["id"]))
    quarantined = sum(row["reason"] == Reason.QUARANTINED.value for row in final)
    storage.write_table(ledger_name(shard), schema.table(final, schema.LEDGER))
    storage.write(sums_name(shard), _sums(kept))
    stale = stale_stages(storage, stages, recipe, parts)
    made_by = _with_stale(shard_identity(stages, recipe), stale, discover.made_by(storage, shard))
    columns = manifest_schema(VIEWS)
    table = schema.table([{name: row[name] for name in columns.names} for row in kept], columns)
    metadata = {
        "schema_version": schema.SCHEMA_VERSION,
        "recipe": recipe.name,
        "versions": json.dumps(made_by.versions, sort_keys=True),
        "choices": made_by.choices,
        "candidates": discover.state(storage, shard),
        "quarantined": str(quarantined),
        "awaiting": str(sum(map(ledger.is_awaiting, final))),
    }
    storage.write_table(manifest_name(shard), table, metadata)
    chosen = {row["clip_id"] for row in kept}
    across_shards.write(storage, shard, [row for row in fit if row["clip_id"] in chosen])
    across_shards.mark(storage, recipe.duplicates)
    tokens = {way: sum(row[f"tokens_{way}"] or 0 for row in assembled) for way in ("in", "out")}
    report = replace(
        _report(shard, kept, final, funnel, quarantined, tokens), stale={each.stage: each.records for each in stale}
    )
    _enter(storage, recipe, made_by, report)
    return report


def _with_stale(now: WorkIdentity, stale: list[StaleStage], discovered: WorkIdentity) -> WorkIdentity:
    """The versions that made what is stored: of stages that were kept stale, and of the search, the earlier ones."""
    kept = {name: version for each in stale for name, version in each.made_by.versions.items()}
    return WorkIdentity({**now.versions, **discovered.versions, **kept}, now.choices)


def _first_failures(rows: list[Record]) -> list[Record]:
    """The rows, in the order of the stages, with one failure a clip: two stages that read the same tables may both fail on it."""
    failed: set[str] = set()
    kept = []
    for row in rows:
        is_failure = row["subject"] == Subject.CLIP.value and row["status"] != Status.KEPT.value
        if not is_failure or row["id"] not in failed:
            kept.append(row)
        if is_failure:
            failed.add(row["id"])
    return kept


class _Discover:
    name = discover.STAGE


_DISCOVER: Any = _Discover()


def _with_drops(row: Record, drops: dict[str, Drop | within_shard.Copy]) -> Record:
    """A clip that passed every stage may still be no good by the scores of its views, or a copy."""
    if row["subject"] != Subject.CLIP.value or row["id"] not in drops:
        return row
    drop = drops[row["id"]]
    return {**row, "status": Status.DROPPED.value, "reason": drop.reason.value, "detail": drop.detail}


def _sums(kept: list[Record]) -> bytes:
    """In the format of sha256sum: `cd OUT && sha256sum -c _media/shard-00000.sha256` checks them."""
    files = {name: sha256 for row in kept for name, sha256 in schema.map_dict(row["files"]).items()}
    return "".join(f"{sha256}  {name}\n" for name, sha256 in sorted(files.items())).encode()


def _report(
    shard: int,
    kept: list[Record],
    final: list[Record],
    funnel: list[dict[str, Any]],
    quarantined: int,
    tokens: dict[str, int],
) -> Report:
    def count(values: list[str]) -> dict[str, int]:
        return {value: values.count(value) for value in sorted(set(values))}

    ended = [
        row["reason"] for row in final if row["subject"] != Subject.VIEW.value and row["status"] != Status.KEPT.value
    ]
    clips = {row["clip_id"] for row in kept}
    views = [r["view"] for r in final if r["view"] and r["status"] == Status.KEPT.value and r["parent_id"] in clips]
    contaminated = count([name for row in kept for name in row["contaminates"]])
    kinds = count([row["kind"] for row in kept])
    passing = sum(ledger.is_awaiting(row) for row in final if row["parent_id"] in clips)
    return Report(
        shard,
        kinds,
        funnel,
        count(ended),
        count(views),
        quarantined,
        contaminated=contaminated,
        failed_views=passing,
        tokens=tokens,
    )


def committed_report(storage: Storage, shard: int) -> Report:
    """The report of a shard that was committed before, from _dataset.json."""
    entry = json.loads(storage.read(DATASET))["shards"].get(str(shard))
    if entry is None:  # The process died between the manifest and this file: the manifest counts.
        kinds = storage.read_table(manifest_name(shard), ["kind"]).column("kind").to_pylist()
        return Report(shard, {kind: kinds.count(kind) for kind in sorted(set(kinds))}, [], {}, {}, 0, done_before=True)
    return Report(shard, entry["rows"], entry["funnel"], entry["reasons"], entry["views"], 0, done_before=True)


def _enter(storage: Storage, recipe: Recipe, made_by: WorkIdentity, report: Report) -> None:
    dataset = read_dataset(storage)
    dataset["shards"][str(report.shard)] = {
        "rows": report.rows,
        "funnel": report.funnel,
        "reasons": report.reasons,
        "views": report.views,
        "tokens": report.tokens,
        "versions": made_by.versions,
        "stale": report.stale,
    }
    dataset["totals"] = {
        kind: sum(shard["rows"].get(kind, 0) for shard in dataset["shards"].values()) for kind in ("video", "audio")
    }
    dataset["vidal"] = __version__
    dataset["recipe"] = recipe.model_dump(mode="json")
    storage.write(DATASET, _json(dataset))


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()
