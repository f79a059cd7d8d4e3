"""Joins modalities: the weighted sum of the unit vectors of a sample, normalised again (Girdhar et al. 2023; Zhu et al. 2024)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def joint(parts: Sequence[tuple[np.ndarray, float]]) -> np.ndarray:
    """Returns the weighted sum of the unit vectors of several modalities, (n, d) float32, L2-normalised.

    parts: for each modality, its vectors, (n, d), and its weight.
    """
    total = np.sum([weight * unit(vectors) for vectors, weight in parts], axis=0)
    return unit(total)


def unit(vectors: np.ndarray) -> np.ndarray:
    values: np.ndarray = (vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)).astype(
        np.float32
    )
    return values
