"""Depth: one 16-bit picture per frame, in millimetres if the model is metric, else scaled to the range of the whole clip."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

from vidal import schema
from vidal.config.recipe import Recipe
from vidal.models.protocols import DepthEstimator, FieldOfView
from vidal.models.registry import DEPTH, open_model
from vidal.pipeline.stage import ModelUse, Runtime, Stage, overlapping
from vidal.records import Clip, DepthRow
from vidal.schema import Subject, View
from vidal.scores import round_score
from vidal.stages import pictures
from vidal.stages.depth.settings import Depth
from vidal.stages.frame_view import FrameView
from vidal.stages.view import MediaColumn, ViewSpec
from vidal.storage.storage import Storage

Estimate = tuple[np.ndarray, float | None]  # The depth, and the field of view in degrees if the model reports it.
UINT16_MAX = 65_535
PAPER_MAX_M = 10.0  # VIDAL-10M's depth_ddp_glpn.py: np.clip(output, 0, 10), astype("uint16").
COMPRESS_LEVEL = 3  # A level of zlib. At the default, 6, a picture takes 2.5 times as long and is 2 % smaller.


def to_millimetres(depths: list[np.ndarray], max_m: float, truncate: bool = False) -> tuple[list[np.ndarray], int]:
    """Converts depth to (h, w) uint16 millimetres, clipped at max_m. Also returns how many pixels were clipped.

    depths: (h, w) float32 metres; a value that is not finite or not positive becomes 0, which means no reading. truncate: rounds
    down, as VIDAL-10M's script does.
    """
    images, clipped, limit = [], 0, round(max_m * 1000)
    for depth in depths:
        known = np.where(np.isfinite(depth), depth, np.float32(0))
        # VIDAL-10M's script multiplies in single precision.
        millimetres = known * 1000 if truncate else np.rint(known.astype(np.float64) * 1000)
        clipped += int((millimetres > limit).sum())
        images.append(np.clip(millimetres, 0, limit).astype(np.uint16))
    return images, clipped


def to_range(depths: list[np.ndarray]) -> tuple[list[np.ndarray], dict[str, float]]:
    """Scales depth to (h, w) uint16. Also returns the values that 0 and 65535 stand for. depths: (h, w) float32, without a unit.

    The frames of a clip share one range, so that they can be compared. A value that is not finite becomes 0.
    """
    finite = [depth[np.isfinite(depth)] for depth in depths]
    present = [values for values in finite if values.size]
    low = float(min((values.min() for values in present), default=0.0))
    high = float(max((values.max() for values in present), default=0.0))
    # The ends are rounded outwards, by at most a ten-thousandth of the range, before the pictures are scaled with them. The two
    # stored numbers are then short, and describe the pictures exactly.
    digits = 4 - math.floor(math.log10(high - low)) if high > low else 4
    low, high = _widened(low, -1, digits), _widened(high, 1, digits)
    scale = UINT16_MAX / max(high - low, 10.0**-digits)
    known = (np.where(np.isfinite(depth), depth, low).astype(np.float64) for depth in depths)
    scaled = [np.clip(np.rint((depth - low) * scale), 0, UINT16_MAX).astype(np.uint16) for depth in known]
    return scaled, {"depth_at_0": low, "depth_at_65535": high}


def _widened(value: float, sign: int, digits: int) -> float:
    """Rounds to `digits` digits after the decimal point: down if sign is -1, up if sign is 1."""
    rounded = round(value, digits)
    return rounded if (rounded - value) * sign >= 0 else round(rounded + sign * 10.0**-digits, digits)


class _Worker(FrameView[Estimate]):
    view = View.DEPTH.value
    paper_input, paper_short_side = (448, 796), 256  # cv2.resize(frame, (448, 796)) in the same script.
    resampling = Image.Resampling.NEAREST  # A mean across an edge would be a depth at which there is no surface.

    def __init__(self, recipe: Recipe, runtime: Runtime, storage: Storage):
        # This imports scipy, which takes a second; a process that only lists the stages does not need it.
        from vidal.stages.depth import quality

        settings = recipe.depth
        super().__init__(settings, storage, recipe.resources_of("depth").batch_size)
        if settings.model:
            self._estimator: DepthEstimator = open_model(DEPTH, self._model_spec(settings.model))
        self._max_m = settings.max_m or (PAPER_MAX_M if self._is_paper else UINT16_MAX / 1000)
        self._quality = quality.scores

    def _infer(self, images: list[Image.Image], places: list[tuple[Clip, int]]) -> list[Estimate]:
        if isinstance(self._estimator, FieldOfView):
            return list(zip(*self._estimator.estimate_with_view(images), strict=True))
        return [(depth, None) for depth in self._estimator.estimate(images)]

    def _row(self, clip: Clip, images: list[Image.Image], estimates: list[Estimate]) -> DepthRow:
        depths = [self._resized(depth) for depth, _ in estimates]
        stored, storage_scores = self._stored(depths)
        scores = {**self._scores(depths, images, [degrees for _, degrees in estimates]), **storage_scores}
        files = [Image.fromarray(each) for each in stored]
        names, sums = pictures.save_view(self._storage, clip, self.view, "png", files, compress_level=COMPRESS_LEVEL)
        return {
            "clip_id": clip["clip_id"],
            "depth_paths": names,
            "depth_sha256": sums,
            "depth_kind": self._estimator.kind,
            "depth_unit": "mm" if self._is_metric else "",
            "depth_model": self._estimator.name,
            "depth_scores": list(scores.items()),
        }

    @property
    def _is_metric(self) -> bool:
        return self._estimator.kind == "metric"

    def _scores(
        self, depths: list[np.ndarray], images: list[Image.Image], fields_of_view: list[float | None]
    ) -> dict[str, float]:
        scores = self._quality(depths, images, self._is_metric)
        degrees = [each for each in fields_of_view if each is not None]
        if degrees:
            scores["depth_field_of_view_deg"] = float(np.median(degrees))
        return {name: round_score(value) for name, value in scores.items()}

    def _stored(self, depths: list[np.ndarray]) -> tuple[list[np.ndarray], dict[str, float]]:
        """Returns (h, w) uint16 pictures, and the scores that say how depth became pixel values."""
        if not self._is_metric:
            return to_range(depths)
        stored, clipped = to_millimetres(depths, self._max_m, self._is_paper)
        share = round_score(clipped / sum(depth.size for depth in depths))
        return stored, {"depth_clipped_pixels": float(clipped), "depth_clipped_share": share}

    def _empty(self, clip: Clip) -> DepthRow:
        return _empty(clip)


def _empty(clip: Clip) -> DepthRow:
    return {"clip_id": clip["clip_id"], "depth_paths": [], "depth_sha256": []}


STAGE = Stage(
    name="depth",
    version=1,
    subject=Subject.CLIP,
    reads=("keyframes", "crawl", "filter"),
    schema=schema.DEPTH,
    open=_Worker,
    settings=lambda recipe: recipe.depth,
    models=lambda recipe: [ModelUse("", DEPTH, recipe.depth.model)],
    views=lambda clip: (View.DEPTH.value,),
    empty=_empty,
    parts_at_once=overlapping("depth"),
)

VIEW = ViewSpec(
    name=View.DEPTH.value,
    stage=STAGE,
    settings=Depth,
    columns=("depth_paths", "depth_kind", "depth_unit", "depth_model"),
    media=MediaColumn("depth_paths", "depth_sha256"),
    scores="depth_scores",
    is_synthetic=True,
)
