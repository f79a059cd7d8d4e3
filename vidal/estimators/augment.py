"""Augments pictures by crops, flips, rotations and colours. All random numbers come from one generator."""

from __future__ import annotations

import cv2
import numpy as np

from vidal.estimators.training_pairs import TrainingPair
from vidal.media.arrays import Float32Array, Float64Array, FloatArray

GREY = np.array([0.299, 0.587, 0.114], np.float32)


def augment_pair(
    pair: TrainingPair,
    size: tuple[int, int],
    rng: np.random.Generator,
    *,
    crop_min: float,
    turn_deg: float,
    colour: float,
) -> tuple[Float32Array, Float32Array]:
    """Returns an altered picture, (h, w, 3) float32 in [0, 255], and its target, (h, w) float32 with NaN where it is unknown.

    size: (width, height) of both. crop_min: the smallest share of the picture's side that a crop keeps. turn_deg: the largest
    rotation in degrees. colour: the strength of the colour changes, 0..1.
    """
    matrix = _placement(pair.rgb.shape[1::-1], size, rng, crop_min, turn_deg)
    rgb = cv2.warpAffine(pair.rgb, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    target = cv2.warpAffine(
        pair.target, matrix, size, flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=float("nan")
    )
    return vary_colours(rgb.astype(np.float32), rng, colour), np.asarray(target, np.float32)


def _placement(
    source: tuple[int, int], size: tuple[int, int], rng: np.random.Generator, crop_min: float, turn_deg: float
) -> Float64Array:
    """Returns the (2, 3) matrix, as cv2.warpAffine takes it, of a random crop and rotation. Half of the pictures are also mirrored.

    source: the (width, height) of the picture. size: that of the result. crop_min: the smallest share of the picture's side that a crop
    keeps. turn_deg: the largest rotation in degrees.
    """
    fit = max(size[0] / source[0], size[1] / source[1])
    scale = fit / rng.uniform(crop_min, 1.0)
    angle = np.deg2rad(rng.uniform(-turn_deg, turn_deg))
    mirror = -1.0 if rng.random() < 0.5 else 1.0
    linear = scale * np.array([[mirror * np.cos(angle), -mirror * np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    room = np.maximum(np.array(source) * scale - np.array(size), 0) / 2 / scale
    centre = np.array(source) / 2 + rng.uniform(-room, room)
    return np.hstack([linear, (np.array(size) / 2 - linear @ centre)[:, None]])


def vary_colours(rgb: Float32Array, rng: np.random.Generator, strength: float) -> Float32Array:
    """Changes gamma, exposure, colour cast, contrast and saturation of a picture at random. Sometimes makes it grey, blurred or noisy.

    rgb: (h, w, 3) float32 in [0, 255]; the result has the same form. strength: 0..1, where 0 changes nothing.
    """
    values: FloatArray = rgb / 255.0
    values = values ** np.exp(strength * rng.normal(0, 0.3))
    values = values * np.exp(strength * rng.normal(0, 0.2)) * np.exp(strength * rng.normal(0, 0.08, 3))
    mean = values.mean()
    values = mean + (values - mean) * np.exp(strength * rng.normal(0, 0.2))
    grey = (values @ GREY)[:, :, None]
    saturation = 0.0 if rng.random() < 0.1 * strength else np.exp(strength * rng.normal(0, 0.3))
    values = grey + (values - grey) * saturation
    if rng.random() < 0.3 * strength:
        values = np.asarray(cv2.GaussianBlur(values, (0, 0), rng.uniform(0.3, 1.5)), values.dtype)
    if rng.random() < 0.3 * strength:
        values = values + rng.normal(0, rng.uniform(0, 0.04), values.shape)
    levels: Float32Array = (np.clip(values, 0, 1) * 255.0).astype(np.float32)
    return levels
