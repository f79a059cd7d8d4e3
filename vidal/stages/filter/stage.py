"""Filter: drops clips that the recipe does not want. `vidal filter` can take them back later.

The stored files of a dropped clip stay, unless storage.keep_dropped is false.
"""

from __future__ import annotations

from functools import lru_cache, partial

from vidal import schema
from vidal.config.recipe import Recipe
from vidal.pipeline.stage import Drop, Output, Runtime, Stage
from vidal.records import Clip
from vidal.schema import Reason, Subject, map_dict
from vidal.stages.filter.thresholds import decide
from vidal.storage import layout
from vidal.storage.cleaned import cleaned_clips
from vidal.storage.storage import Storage

MEDIA_DELETED = (
    "the clip passes now, but its media were deleted: run vidal retry --class awaiting_media to fetch them again"
)


class _Worker:
    def __init__(self, recipe: Recipe, runtime: Runtime, storage: Storage):
        self._filters = recipe.filters
        self._stored_only = runtime.stored_only
        # Two shards are remembered: parts of the next one may arrive before the last parts of the current one.
        self._cleaned = lru_cache(2)(partial(cleaned_clips, storage))
        self._finished = lru_cache(2)(partial(_finished, storage))

    def __call__(self, clip: Clip) -> Output | Drop:
        cuts = {} if clip["cuts"] is None else {"cuts": float(clip["cuts"])}
        scores = {**map_dict(clip["measures"]), **map_dict(clip["scores"]), **cuts}
        if drop := decide(clip, scores, self._filters):
            return drop
        if clip["clip_id"] in self._cleaned(clip["shard"]):
            return Drop(Reason.AWAITING_MEDIA, MEDIA_DELETED)
        if self._stored_only and clip["clip_id"] not in self._finished(clip["shard"]):
            return Drop(
                Reason.AWAITING_VIEWS, "the clip passes now, but has no views yet: run vidal build-shard to make them"
            )
        return Output([{"clip_id": clip["clip_id"]}])


def _finished(storage: Storage, shard: int) -> set[str]:
    """Returns the clips of the shard whose views are all stored, including clips that the filter dropped later."""
    folder = layout.stage_folder("manifest", shard)
    folders = (folder, layout.retained(folder))
    names = [f"{each}/{name}" for each in folders for name in layout.part_tables(storage.names(each))]
    tables = [storage.read_table(name, ["clip_id"]) for name in names]
    return {clip_id for table in tables for clip_id in table["clip_id"].to_pylist()}


STAGE = Stage(
    name="filter",
    version=1,
    subject=Subject.CLIP,
    reads=("measure", "similarity", "crawl"),
    schema=schema.FILTERED,
    open=_Worker,
    settings=lambda recipe: recipe.filters,
)
