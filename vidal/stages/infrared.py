"""Infrared: one 8-bit picture a frame, with one intensity range for the whole clip, so that frames can be compared."""

from __future__ import annotations

import numpy as np
from PIL import Image

from vidal import ids, schema
from vidal.config import Recipe
from vidal.models import INFRARED, InfraredTranslator, open_model
from vidal.schema import Reason, Status, Subject, View
from vidal.stage import Output, Record, Runtime, Stage, ViewOutcome
from vidal.stages import pictures
from vidal.storage import Storage, media_name

QUALITY = 95


def to_uint8(frames: list[np.ndarray]) -> list[np.ndarray]:
    """(h, w) float of one clip to (h, w) uint8, stretched from the clip's lowest to its highest value."""
    low, high = min(float(f.min()) for f in frames), max(float(f.max()) for f in frames)
    return [np.rint((frame - low) / max(high - low, 1e-12) * 255.0).astype(np.uint8) for frame in frames]


def _empty(clip: Record) -> Record:
    return {"clip_id": clip["clip_id"], "infrared_paths": [], "infrared_sha256": []}


class _Worker:
    def __init__(self, recipe: Recipe, runtime: Runtime, storage: Storage):
        self._storage = storage
        model = recipe.infrared.model
        self._translator: InfraredTranslator | None = open_model(INFRARED, model) if model else None

    def __call__(self, clip: Record) -> Output:
        if not clip["frame_paths"]:
            return Output([_empty(clip)], (ViewOutcome(View.INFRARED, Status.DROPPED, Reason.NO_FRAMES),))
        if self._translator is None:
            outcome = ViewOutcome(
                View.INFRARED, Status.DROPPED, Reason.NO_ESTIMATOR, "the recipe names no infrared model"
            )
            return Output([_empty(clip)], (outcome,))
        images = pictures.load(self._storage, clip["frame_paths"])
        frames = to_uint8(self._translator.translate(images, ids.bucket(clip["clip_id"], 2**31)))
        names = [media_name(clip["shard"], clip["clip_id"], f"infrared/{index}.jpg") for index in range(len(frames))]
        stored = [
            pictures.save(self._storage, name, Image.fromarray(frame), quality=QUALITY)
            for name, frame in zip(names, frames, strict=True)
        ]
        row = {
            "clip_id": clip["clip_id"],
            "infrared_paths": names,
            "infrared_sha256": [ids.sha256(data) for data in stored],
            "infrared_model": self._translator.name,
        }
        return Output([row], (ViewOutcome(View.INFRARED, Status.KEPT),))


STAGE = Stage(
    name="infrared",
    subject=Subject.CLIP,
    reads=("keyframes", "crawl", "filter"),
    schema=schema.INFRARED,
    open=_Worker,
    settings=lambda recipe: recipe.infrared,
    module=__name__,
    code=("vidal.models.infrared", "vidal.models.munit", "vidal.stages.pictures"),
    views=lambda clip: (View.INFRARED,),
    empty=_empty,
)
