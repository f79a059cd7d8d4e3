"""Judges the depth of a clip without ground truth. Pure functions over arrays; an undefined score is absent.

depth_valid_share: share of the pixels with a reading (finite, and positive if metric).
depth_low, depth_high: 1st and 99th percentile of the readings, in metres or in the model's own numbers.
depth_temporal_consistency: mean rank correlation (Spearman) of the depth of consecutive frames at the same pixels, which ignores
    scale and shift. Stored frames are seconds apart: if the scene or the camera moves, the score is low however good the depth is.
    depth_luminance_consistency is the same score for the luminance of the pictures instead of the depth, as a reference.
depth_scale_change: mean |ln| of the ratio of the median depths of consecutive frames, if metric: 0.1 means 10 %. It measures the
    change that the consistency ignores.
depth_edge_agreement: share of the strongest depth edges that lie near strong edges of the picture, corrected for chance: 1 means
    all of them, 0 means as many as by chance. A depth edge lowers the score if the picture has no edge near it. An edge of the picture
    needs no depth edge near it. True depth of a room, measured by a Kinect, scores 0.30 with its own pictures and -0.04 with other
    pictures. Luminance used as depth scores 0.99, so a value near 1 indicates a model that copies texture.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from PIL import Image
from scipy import ndimage, stats

RANKED_SHORT_SIDE = 64  # Enough pixels for ranks in which noise does not matter.
SMOOTHING = 1.0
DEPTH_EDGES, IMAGE_EDGES = 0.95, 0.85  # Quantiles above which a gradient is strong.
# The largest distance of a depth edge from an edge of the picture, as a share of the short side: models have a low resolution.
REACH = 1 / 64
_TINY = 1e-6


def scores(depths: list[np.ndarray], images: list[Image.Image], metric: bool) -> dict[str, float]:
    """Returns the scores that are defined, by name, not rounded.

    depths: (h, w) float32, one for each frame of a clip, in order. images: the frames. metric: whether the depth is in metres.
    """
    luminances = [_luminance(image, depth) for image, depth in zip(images, depths, strict=True)]
    valid = [np.isfinite(depth) & ((depth > 0) | (not metric)) for depth in depths]
    readings = np.concatenate([depth[known] for depth, known in zip(depths, valid, strict=True)])
    values: dict[str, float | None] = {"depth_valid_share": readings.size / sum(depth.size for depth in depths)}
    if readings.size:
        values["depth_low"], values["depth_high"] = (float(each) for each in np.percentile(readings, (1, 99)))
    blanked = [np.where(known, depth, np.nan) for depth, known in zip(depths, valid, strict=True)]
    values["depth_temporal_consistency"] = consistency(blanked)
    values["depth_luminance_consistency"] = consistency(luminances)
    if metric:
        values["depth_scale_change"] = scale_change(blanked)
    edges = [edge_agreement(depth, light, metric) for depth, light in zip(blanked, luminances, strict=True)]
    values["depth_edge_agreement"] = _mean(edges)
    return {name: value for name, value in values.items() if value is not None}


def consistency(frames: list[np.ndarray]) -> float | None:
    """Returns the mean Spearman correlation of consecutive (h, w) frames over the pixels that are known in both.

    frames: NaN marks unknown pixels. Returns None if the correlation is undefined for every pair.
    """
    small = [frame[:: _step(frame), :: _step(frame)] for frame in frames]
    return _mean([_spearman(one, other) for one, other in pairwise(small)])


def scale_change(frames: list[np.ndarray]) -> float | None:
    medians = [float(np.nanmedian(frame)) for frame in frames if np.isfinite(frame).any()]
    return _mean([abs(float(np.log(other / one))) for one, other in pairwise(medians)])


def edge_agreement(depth: np.ndarray, luminance: np.ndarray, metric: bool) -> float | None:
    """Returns the score depth_edge_agreement of one frame, or None if the depth or the picture has no edges.

    depth: (h, w), NaN where there is no reading. luminance: (h, w). metric: whether the depth is in metres. If so, an edge
    is a large ratio of depths, otherwise a large difference.
    """
    known = np.isfinite(depth)
    if not known.any():
        return None
    # Metric depth is compared by ratio: a step of one metre is an edge at a distance of two metres, but noise at fifty.
    filled = np.where(known, depth, np.nanmedian(depth)).astype(np.float64)
    relief = ndimage.gaussian_gradient_magnitude(np.log(np.maximum(filled, _TINY)) if metric else filled, SMOOTHING)
    # The border of the known pixels is not an edge of the scene.
    inside = ndimage.binary_erosion(known, iterations=max(1, round(4 * SMOOTHING)), border_value=1)
    contrast = ndimage.gaussian_gradient_magnitude(luminance.astype(np.float64), SMOOTHING)
    if not inside.any() or np.ptp(relief[inside]) < _TINY or np.ptp(contrast) < _TINY:
        return None
    strong = inside & (relief > np.quantile(relief[inside], DEPTH_EDGES))
    reach = max(1, round(min(depth.shape) * REACH))
    near = ndimage.binary_dilation(contrast > np.quantile(contrast, IMAGE_EDGES), iterations=reach)
    chance = float(near[inside].mean())
    if chance >= 1.0 or not strong.any():
        return None
    return (float(near[strong].mean()) - chance) / (1.0 - chance)


def _luminance(image: Image.Image, depth: np.ndarray) -> np.ndarray:
    """Returns the luminance of a picture as (h, w) float64 in 0..255, resized to the size of the depth."""
    height, width = depth.shape
    return np.asarray(image.convert("L").resize((width, height), Image.Resampling.BOX), np.float64)


def _step(frame: np.ndarray) -> int:
    return max(1, int(min(frame.shape)) // RANKED_SHORT_SIDE)


def _spearman(one: np.ndarray, other: np.ndarray) -> float | None:
    both = np.isfinite(one) & np.isfinite(other)
    if not both.any() or np.ptp(one[both]) == 0 or np.ptp(other[both]) == 0:
        return None
    return float(stats.spearmanr(one[both], other[both]).statistic)


def _mean(values: list[float | None]) -> float | None:
    defined = [value for value in values if value is not None]
    return float(np.mean(defined)) if defined else None
