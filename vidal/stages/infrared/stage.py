"""Infrared: one 8-bit picture per frame. All frames of a clip share one range of intensities, except if infrared.mode is "paper"."""

from __future__ import annotations

import numpy as np
from PIL import Image

from vidal import ids, schema
from vidal.config.recipe import Recipe
from vidal.models.protocols import InfraredTranslator
from vidal.models.registry import INFRARED, open_model
from vidal.pipeline.stage import ModelUse, Runtime, Stage, overlapping
from vidal.records import Clip, InfraredRow
from vidal.schema import Subject, View
from vidal.scores import round_score
from vidal.stages import pictures
from vidal.stages.frame_view import FrameView
from vidal.stages.infrared import quality
from vidal.stages.infrared.settings import Infrared
from vidal.stages.view import MediaColumn, ViewSpec
from vidal.storage.storage import Storage


def to_uint8(frames: list[np.ndarray]) -> list[np.ndarray]:
    """Scales (h, w) float frames to (h, w) uint8. The lowest value in all frames becomes 0, and the highest becomes 255."""
    low, high = min(float(f.min()) for f in frames), max(float(f.max()) for f in frames)
    return [np.rint((frame - low) / max(high - low, 1e-12) * 255.0).astype(np.uint8) for frame in frames]


class _Worker(FrameView[np.ndarray]):
    view = View.INFRARED.value
    # VIDAL-10M's thermal_ddp.py: Resize((400, 640)), torch.randn for every frame, save_image(normalize=True), short side 256.
    paper_input, paper_short_side = (640, 400), 256
    resampling = Image.Resampling.BOX

    def __init__(self, recipe: Recipe, runtime: Runtime, storage: Storage):
        self._settings = settings = recipe.infrared
        super().__init__(settings, storage, recipe.resources_of("infrared").batch_size)
        if settings.model:
            self._translator: InfraredTranslator = open_model(INFRARED, self._model_spec(settings.model))

    def _infer(self, images: list[Image.Image], places: list[tuple[Clip, int]]) -> list[np.ndarray]:
        """Returns the translated pictures. places: the clip and the index of the frame of each picture.

        The random seed of a picture depends only on its place, so that other clips in the batch do not change the result.
        """
        seeds = [ids.jump_hash(clip["clip_id"], 2**31) + (frame if self._is_paper else 0) for clip, frame in places]
        return self._translator.translate(images, seeds)

    def _row(self, clip: Clip, images: list[Image.Image], estimates: list[np.ndarray]) -> InfraredRow:
        # Resized before the stretch, so that a clip uses all 256 levels.
        frames = [self._resized(frame) for frame in estimates]
        levels = [to_uint8([frame])[0] for frame in frames] if self._is_paper else to_uint8(frames)
        scores = quality.scores(levels, images)
        options = {"quality": self._settings.quality} if self._settings.format == "jpg" else {}
        stored = [Image.fromarray(each) for each in levels]
        names, sums = pictures.save_view(self._storage, clip, self.view, self._settings.format, stored, **options)
        return {
            "clip_id": clip["clip_id"],
            "infrared_paths": names,
            "infrared_sha256": sums,
            "infrared_model": self._translator.name,
            "infrared_scores": [(name, round_score(value)) for name, value in scores.items()],
        }

    def _empty(self, clip: Clip) -> InfraredRow:
        return _empty(clip)


def _empty(clip: Clip) -> InfraredRow:
    return {"clip_id": clip["clip_id"], "infrared_paths": [], "infrared_sha256": []}


STAGE = Stage(
    name="infrared",
    version=1,
    subject=Subject.CLIP,
    reads=("keyframes", "crawl", "filter"),
    schema=schema.INFRARED,
    open=_Worker,
    settings=lambda recipe: recipe.infrared,
    models=lambda recipe: [ModelUse("", INFRARED, recipe.infrared.model)],
    views=lambda clip: (View.INFRARED.value,),
    empty=_empty,
    parts_at_once=overlapping("infrared"),
)

VIEW = ViewSpec(
    name=View.INFRARED.value,
    stage=STAGE,
    settings=Infrared,
    columns=("infrared_paths", "infrared_model"),
    media=MediaColumn("infrared_paths", "infrared_sha256"),
    scores="infrared_scores",
    is_synthetic=True,
)
