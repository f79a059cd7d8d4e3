"""Which frames of a clip are stored."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from vidal.config.base import Settings


class Keyframes(Settings):
    """Which frames of a clip are stored, and how."""

    count: int = Field(default=8, ge=1)
    """Number of frames stored for each clip."""
    times: Literal["linspace", "paper", "scene"] = "linspace"
    """`linspace` takes frames at equal distances from the first to the last. `paper` takes the frames 0, k, 2k and so on, as
    VIDAL-10M's script does. Here k is the number of frames of the clip divided by `count`, rounded down. `scene` divides the frames
    among the shots. A long shot gets more frames than a short one. The frames of a shot are evenly spread over it."""
    short_side: int = Field(default=256, ge=16)
    """Short side of the frames, in pixels."""
    format: Literal["jpg", "png", "webp"] = "jpg"
    """File format of the frames."""
    quality: int = Field(default=92, ge=1, le=100)
    """Quality of jpg and webp, from 1 to 100."""
