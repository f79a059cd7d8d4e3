"""Filters a dataset again from stored scores, without running a model. Clips that pass now but have no views wait for the next build."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from vidal.config.recipe import Recipe
from vidal.dataset import commit, discover
from vidal.errors import UserError
from vidal.pipeline.parts import is_done, is_made_by
from vidal.pipeline.runner import PartRunner
from vidal.pipeline.stage import Part, Runtime, Stage
from vidal.schema import Reason
from vidal.stages.order import STAGES
from vidal.storage import layout
from vidal.storage.storage import Storage

_FIRST = list(STAGES).index("filter")


@dataclass(frozen=True)
class Decision:
    """The result of filtering a shard again. before, after: the number of rows in the manifest.

    waiting: the number of clips that pass now, but have no views yet. deleted: the number that pass now, but whose media were deleted.
    reasons: how many candidates and clips were not kept, by reason.
    """

    shard: int
    before: int
    after: int
    waiting: int
    deleted: int
    reasons: dict[str, int]


def refilter(storage: Storage, recipe: Recipe, shard: int) -> Decision:
    """Filters a shard again with the bounds that the recipe has now, and commits it.

    Only the settings of the filter may have changed since the shard was built. Raises UserError if other settings, a model or the version
    of a stage have changed.
    """
    stages = list(STAGES.values())
    parts = discover.parts(storage, recipe, shard)
    if parts is None or not all(_is_stored(storage, recipe, stages, part) for part in parts):
        raise UserError(
            f"shard {shard}: its stored results come from other versions, models or settings: run vidal build-shard {shard} first"
        )
    before = storage.read_table(layout.manifest(shard), ["clip_id"]).num_rows
    runtime = Runtime(out=storage.uri, run_id=uuid.uuid4().hex, stored_only=True)
    for stage in stages[_FIRST:]:
        with PartRunner(stage, recipe, runtime) as runner:
            for part in parts:
                runner.run(part)
    report = commit.commit(storage, stages, recipe, parts)
    waiting, deleted = (
        report.reasons.get(reason.value, 0) for reason in (Reason.AWAITING_VIEWS, Reason.AWAITING_MEDIA)
    )
    return Decision(shard, before, sum(report.rows.values()), waiting, deleted, report.reasons)


def _is_stored(storage: Storage, recipe: Recipe, stages: list[Stage], part: Part) -> bool:
    """Returns whether the part's scores, and the views of the clips that passed, are stored and up to date."""
    if not all(is_done(stage, recipe, storage, part) for stage in stages[:_FIRST]):
        return False
    for stage in stages[_FIRST + 1 :]:
        name = layout.part_table(stage.name, part.shard, part.index)
        if not storage.exists(name):
            return False
        if not is_made_by(storage.metadata(name), stage.identity(recipe), recipe.engine.keep_stale):
            return False
    return True
