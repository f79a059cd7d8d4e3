"""Depth: one 16-bit picture a frame. Millimetres where the model is metric, else scaled by one range for the clip."""

from __future__ import annotations

import numpy as np
from PIL import Image

from vidal import ids, schema
from vidal.config import Recipe
from vidal.models import DEPTH, DepthEstimator, open_model
from vidal.schema import Reason, Status, Subject, View
from vidal.stage import Output, Record, Runtime, Stage, ViewOutcome
from vidal.stages import pictures
from vidal.storage import Storage, media_name

UINT16_MAX = 65_535


def to_uint16(depths: list[np.ndarray], kind: str) -> tuple[list[np.ndarray], dict[str, float]]:
    """depths: (h, w) float32, of one clip. Returns (h, w) uint16 and, where it is not metric, the range that 0 and 65535 stand for.

    Metric depth in metres becomes millimetres, clipped to 65.535 m. What is not finite becomes 0, no reading.
    """
    depths = [np.nan_to_num(depth, nan=0.0, posinf=0.0, neginf=0.0) for depth in depths]
    if kind == "metric":
        return [np.clip(np.rint(depth * 1000.0), 0, UINT16_MAX).astype(np.uint16) for depth in depths], {}
    low, high = (float(f(np.stack([f(depth) for depth in depths]))) for f in (np.min, np.max))
    span = max(high - low, 1e-12)
    scaled = [np.rint((depth - low) / span * UINT16_MAX).astype(np.uint16) for depth in depths]
    return scaled, {"depth_at_0": low, "depth_at_65535": high}


def _empty(clip: Record) -> Record:
    return {"clip_id": clip["clip_id"], "depth_paths": [], "depth_sha256": []}


class _Worker:
    def __init__(self, recipe: Recipe, runtime: Runtime, storage: Storage):
        self._storage = storage
        model = recipe.depth.model
        self._estimator: DepthEstimator | None = open_model(DEPTH, model) if model else None

    def __call__(self, clip: Record) -> Output:
        if not clip["frame_paths"]:
            return Output([_empty(clip)], (ViewOutcome(View.DEPTH, Status.DROPPED, Reason.NO_FRAMES),))
        if self._estimator is None:
            outcome = ViewOutcome(View.DEPTH, Status.DROPPED, Reason.NO_ESTIMATOR, "the recipe names no depth model")
            return Output([_empty(clip)], (outcome,))
        depths = self._estimator.estimate(pictures.load(self._storage, clip["frame_paths"]))
        images, span = to_uint16(depths, self._estimator.kind)
        names = [media_name(clip["shard"], clip["clip_id"], f"depth/{index}.png") for index in range(len(images))]
        stored = [pictures.save(self._storage, n, Image.fromarray(i)) for n, i in zip(names, images, strict=True)]
        row = {
            "clip_id": clip["clip_id"],
            "depth_paths": names,
            "depth_sha256": [ids.sha256(data) for data in stored],
            "depth_kind": self._estimator.kind,
            "depth_unit": "mm" if self._estimator.kind == "metric" else "",
            "depth_model": self._estimator.name,
            "depth_scores": list(span.items()),
        }
        return Output([row], (ViewOutcome(View.DEPTH, Status.KEPT),))


STAGE = Stage(
    name="depth",
    subject=Subject.CLIP,
    reads=("keyframes", "crawl", "filter"),
    schema=schema.DEPTH,
    open=_Worker,
    settings=lambda recipe: recipe.depth,
    module=__name__,
    code=("vidal.models.depth", "vidal.stages.pictures"),
    views=lambda clip: (View.DEPTH,),
    empty=_empty,
)
