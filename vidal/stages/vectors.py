"""Vectors as they are stored."""

from __future__ import annotations

import numpy as np


def rounded(vector: np.ndarray) -> list[float]:
    """Four digits, without a negative zero: what is beyond differs between processors, and the bytes of a shard must not."""
    return (np.round(vector, 4) + 0.0).tolist()
