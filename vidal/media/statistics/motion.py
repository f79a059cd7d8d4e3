"""How much moves: dense optical flow between pictures that follow each other closely.

Farneback's flow (2003), not DIS: on flat walls and skies with sensor noise of two levels DIS "moves" by 3 pixels a
picture and Farneback by 0.01 (128 px short side), at 13 ms instead of 3.
"""

from __future__ import annotations

import cv2
import numpy as np

from vidal.media.frame_pairs import FramePair

_FARNEBACK = {
    "pyr_scale": 0.5,
    "levels": 4,
    "winsize": 15,
    "iterations": 3,
    "poly_n": 5,
    "poly_sigma": 1.2,
    "flags": 0,
}


def flow_px(before: np.ndarray, after: np.ndarray) -> float:
    """before, after: (h, w) uint8 gray. Mean length in pixels of the flow from one to the other."""
    flow = cv2.calcOpticalFlowFarneback(before, after, None, **_FARNEBACK)  # type: ignore[call-overload]
    return float(np.linalg.norm(flow, axis=2).mean())


def motion_per_s(pairs: list[FramePair]) -> float:
    """Short sides a second; the median of the pairs, as one of them may lie on a cut."""
    return float(np.median([flow_px(p.before, p.after) / min(p.before.shape) / p.gap_s for p in pairs]))
