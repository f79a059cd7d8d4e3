"""The numbers of the model cards: on pictures never trained on, beside baselines that are treated the same way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy.stats import spearmanr
from skimage.metrics import structural_similarity

from vidal.estimators.augment import GREY
from vidal.estimators.training_pairs import TrainingPair
from vidal.models.protocols import DepthEstimator, InfraredTranslator

# No depth in the indoor sets lies beyond; what a fit puts behind it is taken for this far.
FARTHEST_M = 10.0
Map = Callable[[TrainingPair], np.ndarray]


@dataclass(frozen=True)
class DepthScore:
    """abs_rel: mean |d - d*| / d*; delta1: part with max(d/d*, d*/d) < 1.25 (Eigen et al. 2014); spearman: of the order."""

    abs_rel: float
    delta1: float
    spearman: float


@dataclass(frozen=True)
class InfraredScore:
    """l1: mean absolute difference, of intensities in [0, 1]; ssim: structural similarity."""

    l1: float
    ssim: float


def fit_to_target(estimate: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Scales and shifts an estimate to fit the known values of the target, by least squares."""
    known = np.isfinite(target)
    x, y = estimate[known].astype(np.float64), target[known].astype(np.float64)
    centred = x - x.mean()
    scale = (centred * (y - y.mean())).sum() / max((centred**2).sum(), 1e-12)
    values: np.ndarray = (estimate - x.mean()) * scale + y.mean()
    return values


def score_depth_map(estimate: np.ndarray, inverse: np.ndarray) -> DepthScore:
    """estimate: (h, w), larger is nearer; inverse: (h, w) true 1/m with NaN. Fitted in inverse depth, judged in depth."""
    known = np.isfinite(inverse)
    fitted = 1.0 / np.maximum(fit_to_target(estimate, inverse)[known], 1.0 / FARTHEST_M)
    true = 1.0 / inverse[known]
    ratio = np.maximum(fitted / true, true / fitted)
    constant = estimate[known].std() == 0
    order = 0.0 if constant else float(spearmanr(estimate[known], inverse[known]).statistic)
    return DepthScore(float(np.mean(np.abs(fitted - true) / true)), float(np.mean(ratio < 1.25)), order)


def score_infrared_map(estimate: np.ndarray, true: np.ndarray) -> InfraredScore:
    estimate = np.clip(estimate, 0.0, 1.0).astype(np.float32)
    return InfraredScore(float(np.abs(estimate - true).mean()), float(structural_similarity(estimate, true, data_range=1.0)))


def score_depth(estimate: Map, pairs: Sequence[TrainingPair]) -> DepthScore:
    scores = [score_depth_map(estimate(pair), pair.target) for pair in pairs]
    return DepthScore(*(float(np.mean([getattr(s, key) for s in scores])) for key in DepthScore.__annotations__))


def score_infrared(translate: Map, pairs: Sequence[TrainingPair]) -> InfraredScore:
    scores = [score_infrared_map(translate(pair), pair.target) for pair in pairs]
    return InfraredScore(*(float(np.mean([getattr(s, key) for s in scores])) for key in InfraredScore.__annotations__))


def depth_maps(estimator: DepthEstimator, train: Sequence[TrainingPair]) -> dict[str, Map]:
    """The model and what it must beat. estimator.kind must be inverse_relative."""
    mean = mean_map(train)
    return {
        "model": lambda pair: estimator.estimate([Image.fromarray(pair.rgb)])[0],
        "mean map of the training frames": lambda pair: _resized(mean, pair),
        "vertical ramp": lambda pair: ramp(pair.target.shape),
    }


def infrared_maps(translator: InfraredTranslator) -> dict[str, Map]:
    def model(pair: TrainingPair) -> np.ndarray:
        return translator.translate([Image.fromarray(pair.rgb)], [0])[0]

    return {
        "model": model,
        "model, fitted": _fitted(model),
        "grey": grey,
        "inverted grey": lambda pair: 1.0 - grey(pair),
        # An affine fit may turn the sign: the fits of grey and of inverted grey are one and the same.
        "grey or inverted grey, fitted": _fitted(grey),
        "constant, fitted": _fitted(lambda pair: np.zeros(pair.target.shape, np.float32)),
    }


def _fitted(make: Map) -> Map:
    return lambda pair: fit_to_target(make(pair), pair.target)


def grey(pair: TrainingPair) -> np.ndarray:
    return pair.rgb.astype(np.float32) @ GREY / 255.0


def ramp(shape: tuple[int, ...]) -> np.ndarray:
    """Nearer towards the bottom: in inverse depth, exactly what a level floor looks like."""
    return np.repeat(np.linspace(0, 1, shape[0], dtype=np.float32)[:, None], shape[1], 1)


def mean_map(pairs: Sequence[TrainingPair]) -> np.ndarray:
    """(60, 80) mean inverse depth of what is known."""
    small = [np.asarray(Image.fromarray(pair.target).resize((80, 60), Image.Resampling.NEAREST)) for pair in pairs]
    stack = np.stack(small)
    counts = np.isfinite(stack).sum(0)
    # Some places were never measured in any frame: there the mean of all stands.
    values: np.ndarray = np.where(counts > 0, np.nansum(stack, 0) / np.maximum(counts, 1), np.nanmean(stack)).astype(np.float32)
    return values


def _resized(values: np.ndarray, pair: TrainingPair) -> np.ndarray:
    height, width = pair.target.shape
    return np.asarray(Image.fromarray(values).resize((width, height), Image.Resampling.BILINEAR))
