"""Infrared: one 8-bit picture a frame, with one intensity range for the whole clip, so that frames can be compared."""

from __future__ import annotations

import numpy as np
from PIL import Image

from vidal import ids, schema
from vidal.config.base import ModelSpec
from vidal.config.recipe import Recipe
from vidal.media.frames import short_side_size
from vidal.models.protocols import InfraredTranslator
from vidal.models.registry import INFRARED, open_model
from vidal.pipeline.stage import ModelUse, Record, Runtime, Stage
from vidal.schema import Subject, View
from vidal.stages import pictures
from vidal.stages.frame_view import FrameView
from vidal.stages.infrared import quality as infrared_quality
from vidal.stages.infrared.settings import Infrared
from vidal.storage.storage import Storage

# VIDAL-10M's thermal_ddp.py: Resize((400, 640)), torch.randn for every frame, save_image(normalize=True), short side 256.
PAPER_INPUT, PAPER_SHORT_SIDE = [640, 400], 256


def to_uint8(frames: list[np.ndarray]) -> list[np.ndarray]:
    """(h, w) float to (h, w) uint8, stretched from the lowest to the highest value of them all."""
    low, high = min(float(f.min()) for f in frames), max(float(f.max()) for f in frames)
    return [np.rint((frame - low) / max(high - low, 1e-12) * 255.0).astype(np.uint8) for frame in frames]


def _empty(clip: Record) -> Record:
    return {"clip_id": clip["clip_id"], "infrared_paths": [], "infrared_sha256": []}


class _Worker(FrameView):
    def __init__(self, recipe: Recipe, runtime: Runtime, storage: Storage):
        self._settings = settings = recipe.infrared
        super().__init__(View.INFRARED, storage, recipe.resources_of("infrared").batch_size, settings.model is not None)
        if settings.model:
            self._translator: InfraredTranslator = open_model(INFRARED, _spec(settings, settings.model))
        self._paper = settings.mode == "paper"
        self._short_side = settings.short_side or (PAPER_SHORT_SIDE if self._paper else None)

    def _infer(self, images: list[Image.Image], places: list[tuple[Record, int]]) -> list[np.ndarray]:
        """Seeds come from the clip's id, so that a clip's style does not depend on what stands beside it."""
        seeds = [ids.bucket(clip["clip_id"], 2**31) + (frame if self._paper else 0) for clip, frame in places]
        return self._translator.translate(images, seeds)

    def _row(self, clip: Record, images: list[Image.Image], made: list[np.ndarray]) -> Record:
        frames = [self._fitted(frame) for frame in made]
        levels = [to_uint8([frame])[0] for frame in frames] if self._paper else to_uint8(frames)
        scores = infrared_quality.scores(levels, images)
        options = {"quality": self._settings.quality} if self._settings.format == "jpg" else {}
        stored = [Image.fromarray(each) for each in levels]
        names, sums = pictures.save_view(self._storage, clip, "infrared", self._settings.format, stored, **options)
        return {
            "clip_id": clip["clip_id"],
            "infrared_paths": names,
            "infrared_sha256": sums,
            "infrared_model": self._translator.name,
            "infrared_scores": [(name, round(value, 4)) for name, value in scores.items()],
        }

    def _fitted(self, frame: np.ndarray) -> np.ndarray:
        """Never larger; before intensities are stretched, so that a clip uses all of its 256 levels."""
        height, width = frame.shape
        size = short_side_size(width, height, self._short_side) if self._short_side else (width, height)
        if size == (width, height):
            return frame
        return np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.BOX))

    def _empty(self, clip: Record) -> Record:
        return _empty(clip)


def _spec(settings: Infrared, model: ModelSpec) -> ModelSpec:
    if settings.mode == "own":
        return model
    return model.model_copy(update={"options": {"input": PAPER_INPUT, **model.options}})


STAGE = Stage(
    name="infrared",
    version=1,
    subject=Subject.CLIP,
    reads=("keyframes", "crawl", "filter"),
    schema=schema.INFRARED,
    open=_Worker,
    settings=lambda recipe: recipe.infrared,
    models=lambda recipe: [ModelUse("", INFRARED, recipe.infrared.model)],
    views=lambda clip: (View.INFRARED,),
    empty=_empty,
)
