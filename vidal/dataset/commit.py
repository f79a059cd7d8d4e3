"""Commits a shard: checks that every record has one outcome, leaves out copies, and writes the ledger, the manifest and the summary."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from vidal import schema
from vidal.config.recipe import Recipe
from vidal.dataset import discover
from vidal.dataset.clean import Cleaned, clean_shard
from vidal.dataset.shard_report import ShardReport, report_of
from vidal.dataset.shard_summary import read_summary, write_summary
from vidal.dataset.stored_tables import StoredTables, stored_files
from vidal.dedup import decontamination, within_shard
from vidal.dedup.stored_signatures import write_signatures
from vidal.errors import StorageError
from vidal.ids import fingerprint
from vidal.pipeline import ledger
from vidal.pipeline.parts import outcomes_of
from vidal.pipeline.stage import Drop, Part, Stage, WorkIdentity
from vidal.pipeline.staleness import StaleStage, stale_stages
from vidal.records import AssembledRow, FunnelRow, LedgerRow, rows_of
from vidal.schema import Reason, Status, Subject
from vidal.stages.filter import thresholds
from vidal.stages.filter.stage import MEDIA_DELETED
from vidal.stages.manifest.stage import manifest_schema
from vidal.stages.order import VIEWS, view_names
from vidal.storage import layout
from vidal.storage.cleaned import cleaned_clips
from vidal.storage.gathered import gather
from vidal.storage.locks import exclusive
from vidal.storage.storage import Storage


def shard_identity(stages: list[Stage], recipe: Recipe, storage: Storage, shard: int) -> WorkIdentity:
    """Returns what decides the rows of a shard: the versions of the code, and a hash of the settings and of the input files."""
    own = [discover.identity(recipe, storage, shard), *(stage.identity(recipe) for stage in stages)]
    versions = {name: version for each in own for name, version in each.versions.items()}
    marks = [recipe.duplicates.model_dump(mode="json", exclude={"dataset_clips_max"}), decontamination.state(recipe)]
    choices = fingerprint([schema.SCHEMA_VERSION, [each.choices for each in own], *marks])
    return WorkIdentity(versions, choices)


def is_committed(storage: Storage, shard: int, stages: list[Stage], recipe: Recipe) -> bool:
    """Returns whether the shard is committed with the recipe's settings and candidates, and nothing in it is to be tried again.

    With engine.keep_stale, the shard may have been built by earlier versions of the stages.
    """
    summary = read_summary(storage, shard)
    if summary is None or summary["quarantined"] or summary["awaiting"]:
        return False
    made_by = WorkIdentity(summary["versions"], summary["choices"])
    now = shard_identity(stages, recipe, storage, shard)
    is_current = made_by == now or (recipe.engine.keep_stale and made_by.choices == now.choices)
    is_same_list = is_current and summary["candidates"] == discover.state(storage, shard)
    return is_same_list and storage.exists(layout.manifest(shard))


def balance(storage: Storage, stages: list[Stage], parts: list[Part]) -> tuple[list[LedgerRow], list[FunnelRow]]:
    """Returns all ledger rows that the stages wrote for a shard, and its funnel: the counts of each stage.

    Raises BalanceError if a stage has lost a record that entered it.
    """
    return _balance(storage, stages, parts, StoredTables(storage, parts))


def _balance(
    storage: Storage, stages: list[Stage], parts: list[Part], tables: StoredTables
) -> tuple[list[LedgerRow], list[FunnelRow]]:
    rows = outcomes_of(storage, stages, parts[0].shard, [part.index for part in parts])
    funnel = []
    for stage in stages:
        # The input of a stage is the set of records that are in every table that it reads.
        inputs = set.intersection(*(tables.ids(name, stage.key) for name in stage.reads))
        funnel.append(ledger.check_stage(stage.name, stage.subject, inputs, tables.ids(stage.name, stage.key), rows))
    return rows, funnel


def commit(storage: Storage, stages: list[Stage], recipe: Recipe, parts: list[Part]) -> ShardReport:
    """Writes the ledger, the hashes, the signatures, the manifest and the summary of a shard. It touches no other shard.

    With `storage.keep_dropped: false`, it deletes the media of clips that were dropped for good.
    Raises BalanceError, with nothing committed, if a candidate, clip or view has no outcome, or more than one.
    """
    shard = parts[0].shard
    if recipe.storage.media == "tar":
        gather(storage, shard, stored_files(storage, [discover.STAGE, *(stage.name for stage in stages)], parts))
    tables = StoredTables(storage, parts)
    stage_outcomes, funnel = _balance(storage, stages, parts, tables)
    names = [layout.part_table(stages[-1].name, shard, part.index) for part in parts]
    assembled = [row for name in names for row in rows_of(storage.read_table(name), AssembledRow)]
    selection = _select(assembled, recipe, cleaned_clips(storage, shard))
    searches = outcomes_of(storage, [_DISCOVER], shard, [0])
    outcomes = [_with_drop(row, selection.drops) for row in (*searches, *_first_failures(stage_outcomes))]
    outcomes.sort(key=lambda row: (row["subject"], row["id"]))
    ledger.check_terminal(outcomes)
    ledger.check_views({row["clip_id"] for row in selection.kept}, outcomes, view_names())
    funnel += selection.funnel
    stale = stale_stages(stages, recipe, parts, tables.metadata)
    made_by = _with_stale(shard_identity(stages, recipe, storage, shard), stale, discover.made_by(storage, shard))
    report = report_of(shard, selection.kept, outcomes, funnel, assembled)
    report = replace(report, stale={each.stage: each.records for each in stale})
    candidates, awaiting = discover.state(storage, shard), sum(map(ledger.is_awaiting, outcomes))
    storage.remove_all([layout.part_journal(stage.name, shard, part.index) for stage in stages for part in parts])
    with exclusive(storage, layout.lock(shard)):
        storage.remove(layout.summary(shard))
        write_signatures(storage, shard, selection.signed)
        _write(storage, recipe, shard, made_by, selection.kept, outcomes)
        cleaned = Cleaned() if recipe.storage.keep_dropped else clean_shard(storage, shard, outcomes)
        report = replace(report, cleaned_clips=cleaned.clips, cleaned_bytes=cleaned.bytes)
        write_summary(storage, recipe, made_by, candidates, awaiting, report)
    return report


@dataclass(frozen=True)
class _Selection:
    """Which clips of a shard go into the manifest.

    assembled: the clips that passed every stage, in the order of the candidates. fit: the clips of `assembled` that pass the filters and
    whose media were not deleted. kept: the clips that go into the manifest, sorted by id: those of `fit` that are not copies of an
    earlier clip. drops: why the remaining clips of `assembled` are left out, by clip_id.
    """

    assembled: list[AssembledRow]
    fit: list[AssembledRow]
    kept: list[AssembledRow]
    drops: dict[str, Drop | within_shard.Copy]

    @property
    def signed(self) -> list[AssembledRow]:
        """The kept clips in the order of the candidates. Their signatures are stored in this order."""
        kept = {row["clip_id"] for row in self.kept}
        return [row for row in self.fit if row["clip_id"] in kept]

    @property
    def funnel(self) -> list[FunnelRow]:
        return [
            _funnel_row("views", len(self.assembled), len(self.fit)),
            _funnel_row("duplicates", len(self.fit), len(self.kept)),
        ]


def _funnel_row(stage: str, count: int, kept: int) -> FunnelRow:
    return {"stage": stage, "in": count, "kept": kept, "dropped": count - kept, "failed": 0}


def _select(assembled: list[AssembledRow], recipe: Recipe, cleaned: set[str]) -> _Selection:
    """Decides which clips go into the manifest, and marks those that belong to evaluation sets.

    assembled: the clips that passed every stage. cleaned: the ids of clips whose media were deleted.
    """
    unfit = thresholds.late(assembled, recipe.filters)
    gone = (row["clip_id"] for row in assembled if row["clip_id"] in cleaned and row["clip_id"] not in unfit)
    unfit |= {clip_id: Drop(Reason.AWAITING_MEDIA, MEDIA_DELETED) for clip_id in gone}
    fit = [row for row in assembled if row["clip_id"] not in unfit]
    copies = within_shard.find_copies(fit, recipe.duplicates)
    kept = sorted((row for row in fit if row["clip_id"] not in copies), key=lambda row: row["clip_id"])
    decontamination.mark_contaminated(kept, recipe)
    return _Selection(assembled, fit, kept, {**unfit, **copies})


def _write(
    storage: Storage,
    recipe: Recipe,
    shard: int,
    made_by: WorkIdentity,
    kept: list[AssembledRow],
    outcomes: list[LedgerRow],
) -> None:
    """Writes the ledger, the hashes of the media files and the manifest.

    The manifest is written last, because a shard that has a manifest counts as complete.
    """
    storage.write_table(layout.ledger(shard), schema.table(outcomes, schema.LEDGER))
    storage.write(layout.media_sums(shard), _sums(kept))
    columns = manifest_schema(VIEWS)
    rows: Sequence[Mapping[str, object]] = kept  # A view of another package may have added columns.
    table = schema.table([{name: row[name] for name in columns.names} for row in rows], columns)
    metadata = {
        "schema_version": schema.SCHEMA_VERSION,
        "recipe": recipe.name,
        "versions": json.dumps(made_by.versions, sort_keys=True),
        "choices": made_by.choices,
    }
    storage.write_table(layout.manifest(shard), table, metadata)


def _with_stale(now: WorkIdentity, stale: list[StaleStage], discovered: WorkIdentity) -> WorkIdentity:
    """Returns the WorkIdentity to record for a shard. Its versions are those that made the stored results. Its choices are now.choices.

    discovered: the WorkIdentity with which the candidates were found. stale: the stages that have results of other versions. All other
    results were made by the versions of `now`.
    """
    kept = {name: version for each in stale for name, version in each.made_by.versions.items()}
    return WorkIdentity({**now.versions, **discovered.versions, **kept}, now.choices)


def _first_failures(rows: list[LedgerRow]) -> list[LedgerRow]:
    """Returns the rows. If several rows say that the same clip failed or was dropped, only the first of them is returned.

    Two stages that read the same tables may each write such a row for a clip.
    """
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


def _with_drop(row: LedgerRow, drops: dict[str, Drop | within_shard.Copy]) -> LedgerRow:
    """Returns the ledger row, changed to dropped if its clip is in `drops`. A clip may pass all stages and be dropped by the commit."""
    if row["subject"] != Subject.CLIP.value or row["id"] not in drops:
        return row
    drop = drops[row["id"]]
    return {**row, "status": Status.DROPPED.value, "reason": drop.reason.value, "detail": drop.detail}


def _sums(kept: list[AssembledRow]) -> bytes:
    """Returns the hashes of the media, as text for sha256sum: `cd OUT && sha256sum -c _media/shard-00000.sha256` checks them."""
    files = {name: sha256 for row in kept for name, sha256 in schema.map_dict(row["files"]).items()}
    return "".join(f"{sha256}  {name}\n" for name, sha256 in sorted(files.items())).encode()


def committed_report(storage: Storage, shard: int) -> ShardReport:
    """Returns the report of a shard that was committed before, from its summary. Raises StorageError if the summary is gone."""
    summary = read_summary(storage, shard)
    if summary is None:
        raise StorageError(
            f"{storage.uri}: the summary of shard {shard} has disappeared, perhaps because another process commits the shard: try again"
        )
    return ShardReport(
        shard,
        rows=summary["rows"],
        funnel=summary["funnel"],
        reasons=summary["reasons"],
        views=summary["views"],
        done_before=True,
    )
