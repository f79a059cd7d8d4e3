"""A view: one picture of edges for each stored frame, with one score."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from PIL import Image
from pydantic import Field

from vidal.config.base import ModelSpec, ViewSettings
from vidal.config.recipe import Recipe
from vidal.models.availability import PackagedWeights
from vidal.models.registry import Adapter, Registry, open_model
from vidal.pipeline.stage import ModelUse, Output, Runtime, Stage, ViewOutcome
from vidal.records import Clip
from vidal.schema import SCORES, STRS, Reason, Status, Subject
from vidal.scores import round_score
from vidal.stages import pictures
from vidal.stages.view import MediaColumn, ViewSpec
from vidal.storage.storage import Storage

ADAPTERS: Registry = {"sobel": Adapter("edge_view.adapter:Sobel", version=1, weights=PackagedWeights())}


class Edges(ViewSettings):
    """The section `edges` of a recipe."""

    scores: ClassVar[dict[str, str]] = {"edges_mean": "mean strength of the edges, 0..255"}

    model: ModelSpec = ModelSpec(adapter="sobel")
    compress_level: int = Field(default=3, ge=0, le=9)


class _Worker:
    def __init__(self, recipe: Recipe, runtime: Runtime, storage: Storage):
        self._settings, self._storage = recipe.settings_of("edges", Edges), storage
        self._model = open_model(ADAPTERS, self._settings.model)

    def __call__(self, clip: Clip) -> Output:
        if not clip["frame_paths"]:
            return Output([_empty(clip)], (ViewOutcome("edges", Status.DROPPED, Reason.NO_FRAMES),))
        edges = self._model.edges(pictures.load(self._storage, clip["frame_paths"]))
        files = [Image.fromarray(each) for each in edges]
        options = {"compress_level": self._settings.compress_level}
        names, sums = pictures.save_view(self._storage, clip, "edges", "png", files, **options)
        mean = round_score(float(np.mean([each.mean() for each in edges])))
        row = {
            "clip_id": clip["clip_id"],
            "edges_paths": names,
            "edges_sha256": sums,
            "edges_scores": [("edges_mean", mean)],
        }
        return Output([row], (ViewOutcome("edges", Status.KEPT),))


def _empty(clip: Clip) -> Mapping[str, Any]:
    return {"clip_id": clip["clip_id"], "edges_paths": [], "edges_sha256": []}


STAGE = Stage(
    name="edges",
    version=1,
    subject=Subject.CLIP,
    reads=("keyframes", "crawl", "filter"),
    schema=pa.schema(
        [("clip_id", pa.string()), ("edges_paths", STRS), ("edges_sha256", STRS), ("edges_scores", SCORES)]
    ),
    open=_Worker,
    settings=lambda recipe: recipe.settings_of("edges", Edges),
    models=lambda recipe: [ModelUse("", ADAPTERS, recipe.settings_of("edges", Edges).model)],
    views=lambda clip: ("edges",),
    empty=_empty,
)

VIEW = ViewSpec(
    name="edges",
    stage=STAGE,
    settings=Edges,
    columns=("edges_paths",),
    media=MediaColumn("edges_paths", "edges_sha256"),
    scores="edges_scores",
    is_synthetic=True,
)
