"""Computes the numbers of the model cards: scores of the estimators and of simple baselines on pictures not used for training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy.stats import spearmanr
from skimage.metrics import structural_similarity

from vidal.estimators.augment import GREY
from vidal.estimators.training_pairs import TrainingPair
from vidal.media.arrays import Float32Array, FloatArray
from vidal.models.protocols import DepthEstimator, InfraredTranslator

# No true depth in the indoor sets is larger, so a fitted depth is clipped to this distance.
FARTHEST_M = 10.0
Map = Callable[[TrainingPair], FloatArray]


@dataclass(frozen=True)
class DepthScore:
    """Errors of a depth map, d, against the true depth, d* (Eigen et al. 2014).

    abs_rel: mean of |d - d*| / d*. delta1: share of pixels with max(d/d*, d*/d) < 1.25. spearman: rank correlation, -1..1.
    """

    abs_rel: float
    delta1: float
    spearman: float


@dataclass(frozen=True)
class InfraredScore:
    """Compares an infrared picture with the true one. l1: mean absolute difference of intensities, 0..1. ssim: structural similarity."""

    l1: float
    ssim: float


def fit_to_target(estimate: FloatArray, target: FloatArray) -> FloatArray:
    """Returns an estimate, (h, w), scaled and shifted to fit the finite pixels of a target, (h, w), by least squares."""
    known = np.isfinite(target)
    x, y = estimate[known].astype(np.float64), target[known].astype(np.float64)
    centred = x - x.mean()
    scale = (centred * (y - y.mean())).sum() / max((centred**2).sum(), 1e-12)
    values: FloatArray = (estimate - x.mean()) * scale + y.mean()
    return values


def score_depth_map(estimate: FloatArray, inverse: FloatArray) -> DepthScore:
    """Scores an estimated map, (h, w), in which nearer points have larger values.

    inverse: the true inverse depth, (h, w) in 1/m, NaN where it is unknown. The map is first scaled and shifted to fit it, by least
    squares. The errors are those of depth in metres, not of inverse depth.
    """
    known = np.isfinite(inverse)
    fitted = 1.0 / np.maximum(fit_to_target(estimate, inverse)[known], 1.0 / FARTHEST_M)
    true = 1.0 / inverse[known]
    ratio = np.maximum(fitted / true, true / fitted)
    constant = estimate[known].std() == 0
    order = 0.0 if constant else float(spearmanr(estimate[known], inverse[known]).statistic)
    return DepthScore(float(np.mean(np.abs(fitted - true) / true)), float(np.mean(ratio < 1.25)), order)


def score_infrared_map(estimate: FloatArray, true: FloatArray) -> InfraredScore:
    """Scores estimated intensities, (h, w), against the true ones, (h, w) in [0, 1]. Estimates outside [0, 1] are clipped first."""
    clipped = np.clip(estimate, 0.0, 1.0).astype(np.float32)
    similarity = float(structural_similarity(clipped, true, data_range=1.0))
    return InfraredScore(float(np.abs(clipped - true).mean()), similarity)


def score_depth(estimate: Map, pairs: Sequence[TrainingPair]) -> DepthScore:
    """Returns the mean scores of a function that estimates depth maps, over all pairs."""
    scores = [score_depth_map(estimate(pair), pair.target) for pair in pairs]
    return DepthScore(*(float(np.mean([getattr(s, key) for s in scores])) for key in DepthScore.__annotations__))


def score_infrared(translate: Map, pairs: Sequence[TrainingPair]) -> InfraredScore:
    """Returns the mean scores of a function that estimates infrared intensities, over all pairs."""
    scores = [score_infrared_map(translate(pair), pair.target) for pair in pairs]
    return InfraredScore(*(float(np.mean([getattr(s, key) for s in scores])) for key in InfraredScore.__annotations__))


def depth_maps(estimator: DepthEstimator, train: Sequence[TrainingPair]) -> dict[str, Map]:
    """Returns the model and the baselines that it must beat, by name. Each computes a map of relative inverse depth.

    estimator: its kind must be inverse_relative. train: the training pairs; the mean of their true maps is one of the baselines.
    """
    mean = mean_map(train)
    return {
        "model": lambda pair: estimator.estimate([Image.fromarray(pair.rgb)])[0],
        "mean map of the training frames": lambda pair: _resized(mean, pair),
        "vertical ramp": lambda pair: ramp(pair.target.shape),
    }


def infrared_maps(translator: InfraredTranslator) -> dict[str, Map]:
    """Returns the model and the baselines that it must beat, by name. Each of these functions computes infrared intensities for a pair.

    If the name of a function contains "fitted", the function also scales and shifts its intensities to fit the pair's true intensities.
    """

    def model(pair: TrainingPair) -> FloatArray:
        return translator.translate([Image.fromarray(pair.rgb)], [0])[0]

    return {
        "model": model,
        "model, fitted": _fitted(model),
        "grey": grey,
        "inverted grey": lambda pair: 1.0 - grey(pair),
        # A fit may change the sign, so the fits of grey and of inverted grey are the same.
        "grey or inverted grey, fitted": _fitted(grey),
        "constant, fitted": _fitted(lambda pair: np.zeros(pair.target.shape, np.float32)),
    }


def _fitted(make: Map) -> Map:
    return lambda pair: fit_to_target(make(pair), pair.target)


def grey(pair: TrainingPair) -> FloatArray:
    """Returns the luminance of the picture, (h, w) in [0, 1]."""
    return pair.rgb.astype(np.float32) @ GREY / 255.0


def ramp(shape: tuple[int, ...]) -> Float32Array:
    """Returns a map of inverse depth, (h, w), that rises from 0 in the top row to 1 in the bottom row, like that of a level floor.

    shape: (h, w).
    """
    return np.repeat(np.linspace(0, 1, shape[0], dtype=np.float32)[:, None], shape[1], 1)


def mean_map(pairs: Sequence[TrainingPair]) -> Float32Array:
    """Returns the mean inverse depth of each pixel over all pairs, (60, 80) float32. Pixels of unknown depth are ignored.

    A pixel that is unknown in all pairs gets the mean of all known pixels.
    """
    small = [np.asarray(Image.fromarray(pair.target).resize((80, 60), Image.Resampling.NEAREST)) for pair in pairs]
    stack = np.stack(small)
    counts = np.isfinite(stack).sum(0)
    values: Float32Array = np.where(counts > 0, np.nansum(stack, 0) / np.maximum(counts, 1), np.nanmean(stack)).astype(
        np.float32
    )
    return values


def _resized(values: Float32Array, pair: TrainingPair) -> Float32Array:
    height, width = pair.target.shape
    return np.asarray(Image.fromarray(values).resize((width, height), Image.Resampling.BILINEAR))
