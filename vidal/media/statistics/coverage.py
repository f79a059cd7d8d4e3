"""How much of a picture lies under boxes."""

from __future__ import annotations

import cv2
import numpy as np


def covered_share(boxes: np.ndarray, width: int, height: int) -> float:
    """boxes: (n, 4, 2) corners in pixels; what several boxes cover counts once."""
    mask = np.zeros((height, width), np.uint8)
    for box in boxes:
        cv2.fillConvexPoly(mask, np.rint(box).astype(np.int32), 1)
    return float(mask.mean())
