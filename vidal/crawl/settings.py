"""How videos that are too long are cut into clips."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from vidal.config.base import Settings


class Clips(Settings):
    """How long videos are cut into clips, at the boundaries of their shots.

    A clip may still contain cuts. If `clips.detector` is set, the score `cuts` counts them.
    """

    detector: Literal["content", "transnetv2"] | None = None
    """How cuts are found: `content` finds hard cuts and is cheap; `transnetv2` is a neural network. null cuts nothing, and long
    videos are dropped."""
    threshold: float | None = Field(default=None, gt=0)
    """How strong a change must be to count as a cut, on the scale of the detector; null uses the detector's default."""
    max_s: float = Field(default=20.0, gt=0)
    """The longest clip that a video is cut into, in seconds. Videos that are not longer stay whole."""
    min_s: float = Field(default=1.0, gt=0)
    """The shortest clip of a video that is cut, in seconds. Shorter pieces are left out."""
    source_max_s: float = Field(default=3600.0, gt=0)
    """The longest video that is fetched to be cut, in seconds."""

    @model_validator(mode="after")
    def _ordered(self) -> Clips:
        if self.min_s >= self.max_s:
            raise ValueError("min_s must be less than max_s")
        return self
