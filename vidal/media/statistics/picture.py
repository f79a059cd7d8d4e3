"""Computes statistics of the stored frames of a clip. Every frame is (h, w, 3) uint8 RGB."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np

from vidal.media.arrays import Float32Array, UInt8Array

# The defaults of FFmpeg's blackdetect: how dark a pixel must be, and how large the share of such pixels.
BLACK_LUMA_MAX, BLACK_PIXELS_MIN = 0.1, 0.98
# Noise averages out over a pixel of the thumbnail: a still picture changes by less than 0.004 even between frames of strongly
# compressed H.264 (CRF 40), and between JPEG qualities. An object that moves changes its block, however small it is.
THUMBNAIL, GRID = 64, 8
FROZEN_DIFFERENCE_MAX = 0.005
# In pixels. Fixed, because sharpness depends on the size of the picture, and scores must be comparable between recipes.
SHARPNESS_SIDE = 256


def luma(frame: UInt8Array) -> Float32Array:
    """Returns the luma of each pixel (ITU-R BT.601): (h, w) float32, 0..1."""
    return cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.float32) / np.float32(255)


def brightness(frame: UInt8Array) -> float:
    """Returns the mean luma, 0..1."""
    return float(luma(frame).mean())


def contrast(frame: UInt8Array) -> float:
    """Returns the RMS contrast (Peli 1990): the standard deviation of the luma."""
    return float(luma(frame).std())


def saturation(frame: UInt8Array) -> float:
    """Returns the mean HSV saturation, 0..1: (max - min) / max over the channels, 0 where the pixel is black."""
    high, low = frame.max(axis=2).astype(np.float32), frame.min(axis=2).astype(np.float32)
    return float(((high - low) / np.maximum(high, 1)).mean())


def is_black(frame: UInt8Array) -> bool:
    """Returns whether nearly all pixels are nearly black, by the rule of FFmpeg's blackdetect."""
    return float((luma(frame) <= BLACK_LUMA_MAX).mean()) >= BLACK_PIXELS_MIN


def is_frozen(before: UInt8Array, after: UInt8Array) -> bool:
    """Returns whether two frames are nearly identical: the luma of their thumbnails differs little in each of GRID x GRID blocks."""
    thumbnails = [cv2.resize(luma(f), (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA) for f in (before, after)]
    blocks = cv2.resize(cv2.absdiff(*thumbnails), (GRID, GRID), interpolation=cv2.INTER_AREA)
    return float(blocks.max()) < FROZEN_DIFFERENCE_MAX


def sharpness(frame: UInt8Array) -> float:
    """Returns the variance of the Laplacian of the 8-bit luma (Pech-Pacheco et al. 2000), at a short side of SHARPNESS_SIDE pixels."""
    gray = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    scale = SHARPNESS_SIDE / min(gray.shape)
    size = (max(1, round(gray.shape[1] * scale)), max(1, round(gray.shape[0] * scale)))
    fixed = cv2.resize(gray, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    return float(cv2.Laplacian(fixed, cv2.CV_32F).var())


def statistics(frames: list[UInt8Array]) -> dict[str, float]:
    """Returns the mean of each statistic over the frames of a clip. The keys are names of scores in vidal/scores.py.

    frames: at least one, all of the same size. The key frozen_share is missing if there is only one frame.
    """
    values = {
        "brightness": float(np.mean([brightness(frame) for frame in frames])),
        "contrast": float(np.mean([contrast(frame) for frame in frames])),
        "saturation": float(np.mean([saturation(frame) for frame in frames])),
        "black_share": float(np.mean([is_black(frame) for frame in frames])),
    }
    if len(frames) > 1:
        values["frozen_share"] = float(np.mean([is_frozen(before, after) for before, after in pairwise(frames)]))
    return values
