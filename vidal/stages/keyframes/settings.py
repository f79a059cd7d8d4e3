"""Which frames of a clip are stored."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from vidal.config.base import Settings


class Keyframes(Settings):
    """Which frames of a clip are stored, and how."""

    count: int = Field(default=8, ge=1)
    """Number of frames that are stored for each clip."""
    times: Literal["linspace", "paper", "scene"] = "linspace"
    """Which frames. `linspace`: at equal distances from the first to the last. `paper`: frame 0, k, 2 k, ... of the n frames of the
    clip, where k is n // count, as in VIDAL-10M's script. `scene`: the middles of equal parts of each shot."""
    short_side: int = Field(default=256, ge=16)
    """Short side of the stored frames, in pixels."""
    format: Literal["jpg", "png", "webp"] = "jpg"
    """File format of the stored frames."""
    quality: int = Field(default=92, ge=1, le=100)
    """Quality of jpg and webp, from 1 to 100."""
