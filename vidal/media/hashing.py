"""Perceptual hashes of frames, and how far apart two clips are by them."""

from __future__ import annotations

import imagehash
import numpy as np
from PIL import Image

BITS = 64


def phash(frames: list[Image.Image]) -> str:
    """DCT hash (64 bits) of every frame, as hex joined by '-', in the order of the frames."""
    return "-".join(str(imagehash.phash(frame)) for frame in frames)


def bits(text: str) -> np.ndarray:
    """A phash string as (frames, 64) bool."""
    words = np.array([int(word, 16) for word in text.split("-")], dtype=np.uint64)
    return (words[:, None] >> np.arange(BITS, dtype=np.uint64)[None, :]) & np.uint64(1) == 1


def distance(first: np.ndarray, second: np.ndarray) -> float:
    """Mean Hamming distance of aligned frames; clips with another number of frames are infinitely far."""
    if first.shape != second.shape:
        return float("inf")
    return float((first != second).sum(axis=1).mean())
