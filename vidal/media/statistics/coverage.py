"""Measures the share of a picture that lies under boxes, such as those of a text detector."""

from __future__ import annotations

import cv2
import numpy as np

from vidal.media.arrays import Float32Array


def covered_share(boxes: Float32Array, width: int, height: int) -> float:
    """Returns the share, 0..1, of a picture that is covered by boxes; a pixel under several boxes counts once.

    boxes: (n, 4, 2) float32, corners (x, y) in pixels. width, height: of the picture.
    """
    mask = np.zeros((height, width), np.uint8)
    for box in boxes:
        cv2.fillConvexPoly(mask, np.rint(box).astype(np.int32), 1)
    return float(mask.mean())
