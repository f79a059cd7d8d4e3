"""What stored frames look like, one by one and one after the other. Every frame is (h, w, 3) uint8 RGB."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np

# The words of FFmpeg's blackdetect: how dark a pixel must be, and how many of them.
BLACK_LUMA_MAX, BLACK_PIXELS_MIN = 0.1, 0.98
# Noise averages out over a pixel of the thumbnail: a still picture stays below 0.004 even where H.264 was told to save
# at all costs (CRF 40), and between JPEG qualities. A thing that moves changes its block, however small it is in the whole.
THUMBNAIL, GRID = 64, 8
FROZEN_DIFFERENCE_MAX = 0.005
# Fixed, so that sharpness can be compared between recipes: it grows with the size of the picture.
SHARPNESS_SIDE = 256


def luma(frame: np.ndarray) -> np.ndarray:
    """(h, w) float32 in 0..1, BT.601."""
    return cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255


def brightness(frame: np.ndarray) -> float:
    return float(luma(frame).mean())


def contrast(frame: np.ndarray) -> float:
    """RMS contrast (Peli 1990): standard deviation of the luma."""
    return float(luma(frame).std())


def saturation(frame: np.ndarray) -> float:
    """Mean of (max - min) / max over the channels, 0 where the pixel is black."""
    high, low = frame.max(axis=2).astype(np.float32), frame.min(axis=2).astype(np.float32)
    return float(((high - low) / np.maximum(high, 1)).mean())


def is_black(frame: np.ndarray) -> bool:
    return float((luma(frame) <= BLACK_LUMA_MAX).mean()) >= BLACK_PIXELS_MIN


def is_frozen(before: np.ndarray, after: np.ndarray) -> bool:
    """Whether two frames are near identical: the luma of their thumbnails differs by little in every block of the grid."""
    thumbnails = [cv2.resize(luma(f), (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA) for f in (before, after)]
    blocks = cv2.resize(cv2.absdiff(*thumbnails), (GRID, GRID), interpolation=cv2.INTER_AREA)
    return float(blocks.max()) < FROZEN_DIFFERENCE_MAX


def sharpness(frame: np.ndarray) -> float:
    """Variance of the Laplacian of the 8-bit luma (Pech-Pacheco et al. 2000), at a short side of SHARPNESS_SIDE pixels."""
    gray = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    scale = SHARPNESS_SIDE / min(gray.shape)
    size = (max(1, round(gray.shape[1] * scale)), max(1, round(gray.shape[0] * scale)))
    fixed = cv2.resize(gray, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    return float(cv2.Laplacian(fixed, cv2.CV_32F).var())


def statistics(frames: list[np.ndarray]) -> dict[str, float]:
    """frames: at least one, of one clip and size. Frozen frames need two."""
    found = {
        "brightness": float(np.mean([brightness(frame) for frame in frames])),
        "contrast": float(np.mean([contrast(frame) for frame in frames])),
        "saturation": float(np.mean([saturation(frame) for frame in frames])),
        "black_share": float(np.mean([is_black(frame) for frame in frames])),
    }
    if len(frames) > 1:
        found["frozen_share"] = float(np.mean([is_frozen(before, after) for before, after in pairwise(frames)]))
    return found
