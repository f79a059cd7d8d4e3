"""Judges whether synthetic infrared is more than a gray copy of its frames.

infrared_luminance_correlation: Pearson's correlation of the infrared with the luminance of the frame, mean over frames. Near 1, the
    infrared is the gray picture; near -1, it is the inverted gray picture, a known failure of RGB-to-thermal translators. Real thermal
    pictures of road scenes (177 pairs) score -0.03 on average, from -0.71 to 0.55; those of a street at night (44 pairs) score 0.30 on
    average, from 0.05 to 0.50.
infrared_luminance_explained: the share of the infrared's variance that the best tone curve of the luminance explains, 0 to 1 (the
    correlation ratio). It detects a gray copy with a curved or folded tone curve, which the correlation does not detect. The road scenes
    score 0.37 on average, the street at night 0.18, and an inverted gray copy 0.99.
infrared_flicker: the mean absolute change of the brightness of the picture from one frame to the next. 1 is a change from black to white.
    infrared_flicker_rgb is the same score for the luminance of the frames. The part of infrared_flicker that exceeds
    infrared_flicker_rgb comes from the model.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from PIL import Image

BINS = 32


def scores(levels: list[np.ndarray], images: list[Image.Image]) -> dict[str, float]:
    """Returns the scores by name, not rounded. Scores that are undefined for these pictures are left out.

    levels: the infrared, (h, w) uint8, one for each frame of a clip, in order. images: the frames.
    """
    lights = [_luminance(image, level.shape) for image, level in zip(images, levels, strict=True)]
    pairs = list(zip(levels, lights, strict=True))
    values = {
        "infrared_luminance_correlation": _mean([correlation(level, light) for level, light in pairs]),
        "infrared_luminance_explained": _mean([explained(level, light) for level, light in pairs]),
        "infrared_flicker": flicker(levels),
        "infrared_flicker_rgb": flicker(lights),
    }
    return {name: value for name, value in values.items() if value is not None}


def correlation(one: np.ndarray, other: np.ndarray) -> float | None:
    """Returns Pearson's correlation of two pictures of the same size; None if all pixels of one of them are equal."""
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return None
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


def explained(level: np.ndarray, light: np.ndarray) -> float | None:
    """Returns the share of the variance of `level` that `light` explains, after `light` is divided into bins (Pearson's eta squared).

    level, light: (h, w) uint8 of the same size. Returns None if all pixels of `level` are equal.
    """
    values = level.ravel().astype(np.float64)
    total = float(values.var())
    if total == 0:
        return None
    bins = light.ravel().astype(np.int64) * BINS // 256
    counts = np.bincount(bins, minlength=BINS)
    means = np.bincount(bins, values, BINS) / np.maximum(counts, 1)
    return float((counts * (means - values.mean()) ** 2).sum() / values.size / total)


def flicker(frames: list[np.ndarray]) -> float | None:
    means = [float(frame.mean()) / 255.0 for frame in frames]
    return _mean([abs(other - one) for one, other in pairwise(means)])


def _luminance(image: Image.Image, shape: tuple[int, ...]) -> np.ndarray:
    """Returns the luminance of a picture as (h, w) uint8, resized to `shape`."""
    return np.asarray(image.convert("L").resize((shape[1], shape[0]), Image.Resampling.BOX))


def _mean(values: list[float | None]) -> float | None:
    defined = [value for value in values if value is not None]
    return float(np.mean(defined)) if defined else None
