"""Prepares vectors for storage."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def rounded(vector: npt.NDArray[np.float32]) -> list[float]:
    """Rounds to four decimals, without negative zeros, so that the bytes of a shard are the same on all processors."""
    values: list[float] = (np.round(vector, 4) + 0.0).tolist()
    return values
