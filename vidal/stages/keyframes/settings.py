"""Which frames of a clip are stored."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from vidal.config.base import Settings


class Keyframes(Settings):
    """Which frames of a clip are stored, and how."""

    count: int = Field(default=8, ge=1)
    """Number of frames of a clip."""
    times: Literal["linspace", "paper", "scene"] = "linspace"
    """linspace: evenly from first to last; paper: frame i * (n // count) of n; scene: the middles of equal parts of each shot."""
    short_side: int = Field(default=256, ge=16)
    """Short side of stored frames, in pixels."""
    format: Literal["jpg", "png", "webp"] = "jpg"
    """Format of stored frames."""
    quality: int = Field(default=92, ge=1, le=100)
    """Quality of jpg and webp, 1 to 100."""
