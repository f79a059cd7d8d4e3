"""Depth: one 16-bit picture a frame. Millimetres where the model is metric, else scaled by one range for the clip."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

from vidal import schema
from vidal.config.base import ModelSpec
from vidal.config.recipe import Recipe
from vidal.media.frames import short_side_size
from vidal.models.protocols import DepthEstimator, FieldOfView
from vidal.models.registry import DEPTH, open_model
from vidal.pipeline.stage import ModelUse, Record, Runtime, Stage
from vidal.schema import Subject, View
from vidal.stages import pictures
from vidal.stages.depth.settings import Depth
from vidal.stages.frame_view import FrameView
from vidal.storage.storage import Storage

_Depth = tuple[np.ndarray, float | None]  # With the field of view where the model tells it.
UINT16_MAX = 65_535
# VIDAL-10M's depth_ddp_glpn.py: cv2.resize(frame, (448, 796)), short side 256, np.clip(output, 0, 10), astype("uint16").
PAPER_INPUT, PAPER_SHORT_SIDE, PAPER_MAX_M = [448, 796], 256, 10.0


def to_millimetres(depths: list[np.ndarray], max_m: float, truncate: bool = False) -> tuple[list[np.ndarray], int]:
    """depths: (h, w) float32 metres. Returns (h, w) uint16 and how many pixels were beyond max_m, which becomes theirs.

    What is not finite or not positive becomes 0, no reading. truncate: rounds down, as the published script does.
    """
    images, clipped, limit = [], 0, round(max_m * 1000)
    for depth in depths:
        known = np.where(np.isfinite(depth), depth, np.float32(0))
        # The published script multiplies in single precision.
        millimetres = known * 1000 if truncate else np.rint(known.astype(np.float64) * 1000)
        clipped += int((millimetres > limit).sum())
        images.append(np.clip(millimetres, 0, limit).astype(np.uint16))
    return images, clipped


def to_range(depths: list[np.ndarray]) -> tuple[list[np.ndarray], dict[str, float]]:
    """depths: (h, w) float32 of one clip, without a unit. Returns (h, w) uint16 and what 0 and 65535 stand for.

    One range for the clip, so that its frames can be compared, widened to five digits of its width: the file and the
    two numbers agree exactly. What is not finite becomes 0.
    """
    finite = [depth[np.isfinite(depth)] for depth in depths]
    present = [values for values in finite if values.size]
    low = float(min((values.min() for values in present), default=0.0))
    high = float(max((values.max() for values in present), default=0.0))
    digits = 4 - math.floor(math.log10(high - low)) if high > low else 4
    low, high = _widened(low, -1, digits), _widened(high, 1, digits)
    scale = UINT16_MAX / max(high - low, 10.0**-digits)
    known = (np.where(np.isfinite(depth), depth, low).astype(np.float64) for depth in depths)
    scaled = [np.clip(np.rint((depth - low) * scale), 0, UINT16_MAX).astype(np.uint16) for depth in known]
    return scaled, {"depth_at_0": low, "depth_at_65535": high}


def _widened(value: float, sign: int, digits: int) -> float:
    """The nearest number of so many decimals that is not inside of the value."""
    rounded = round(value, digits)
    return rounded if (rounded - value) * sign >= 0 else round(rounded + sign * 10.0**-digits, digits)


def _empty(clip: Record) -> Record:
    return {"clip_id": clip["clip_id"], "depth_paths": [], "depth_sha256": []}

# Of zlib: at its default, 6, a picture takes 2.5 times as long and is 2 % smaller.
_COMPRESS_LEVEL = 3


class _Worker(FrameView):
    def __init__(self, recipe: Recipe, runtime: Runtime, storage: Storage):
        from vidal.stages.depth import (
            quality as depth_quality,  # scipy takes a second, and every process imports every stage.
        )

        settings = recipe.depth
        super().__init__(View.DEPTH, storage, recipe.resources_of("depth").batch_size, settings.model is not None)
        if settings.model:
            self._estimator: DepthEstimator = open_model(DEPTH, _spec(settings, settings.model))
        self._paper = settings.mode == "paper"
        self._short_side = settings.short_side or (PAPER_SHORT_SIDE if self._paper else None)
        self._max_m = settings.max_m or (PAPER_MAX_M if self._paper else UINT16_MAX / 1000)
        self._quality = depth_quality.scores

    def _infer(self, images: list[Image.Image], places: list[tuple[Record, int]]) -> list[_Depth]:
        if isinstance(self._estimator, FieldOfView):
            return list(zip(*self._estimator.estimate_with_view(images), strict=True))
        return [(depth, None) for depth in self._estimator.estimate(images)]

    def _row(self, clip: Record, images: list[Image.Image], made: list[_Depth]) -> Record:
        metric = self._estimator.kind == "metric"
        depths = [self._fitted(depth) for depth, _ in made]
        scores = self._quality(depths, images, metric)
        views = [view for _, view in made if view is not None]
        if views:
            scores["depth_field_of_view_deg"] = float(np.median(views))
        scores = {name: round(value, 4) for name, value in scores.items()}
        if metric:
            stored, clipped = to_millimetres(depths, self._max_m, self._paper)
            scores["depth_clipped_pixels"] = float(clipped)
            scores["depth_clipped_share"] = round(clipped / sum(depth.size for depth in depths), 4)
        else:
            stored, span = to_range(depths)
            scores |= span
        names, sums = pictures.save_view(
            self._storage, clip, "depth", "png", [Image.fromarray(each) for each in stored], compress_level=_COMPRESS_LEVEL
        )
        return {
            "clip_id": clip["clip_id"],
            "depth_paths": names,
            "depth_sha256": sums,
            "depth_kind": self._estimator.kind,
            "depth_unit": "mm" if metric else "",
            "depth_model": self._estimator.name,
            "depth_scores": list(scores.items()),
        }

    def _fitted(self, depth: np.ndarray) -> np.ndarray:
        """Never larger. The nearest pixel: a mean over an edge is a depth at which there is nothing."""
        height, width = depth.shape
        size = short_side_size(width, height, self._short_side) if self._short_side else (width, height)
        if size == (width, height):
            return depth
        return np.asarray(Image.fromarray(depth).resize(size, Image.Resampling.NEAREST))

    def _empty(self, clip: Record) -> Record:
        return _empty(clip)


def _spec(settings: Depth, model: ModelSpec) -> ModelSpec:
    if settings.mode == "own":
        return model
    return model.model_copy(update={"options": {"input": PAPER_INPUT, **model.options}})


STAGE = Stage(
    name="depth",
    version=1,
    subject=Subject.CLIP,
    reads=("keyframes", "crawl", "filter"),
    schema=schema.DEPTH,
    open=_Worker,
    settings=lambda recipe: recipe.depth,
    models=lambda recipe: [ModelUse("", DEPTH, recipe.depth.model)],
    views=lambda clip: (View.DEPTH,),
    empty=_empty,
)
