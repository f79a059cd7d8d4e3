"""How videos that are too long are cut into clips."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from vidal.config.base import Settings


class Clips(Settings):
    """If `clips.detector` is set, videos longer than `clips.max_s` are cut at the boundaries of their shots. A span of a video that your
    list asks for (`start_s`, `end_s`) is not cut.
    """

    detector: Literal["content", "transnetv2"] | None = None
    """How cuts are found. `content` finds hard cuts and is cheap. `transnetv2` is a neural network. `null` cuts nothing, so long
    videos are dropped."""
    threshold: float | None = Field(default=None, gt=0)
    """How strong a change must be to count as a cut. `content` takes 0 to 255, and `null` means 27. `transnetv2` takes a
    probability, and `null` means 0.5."""
    max_s: float = Field(default=20.0, gt=0)
    """Longest clip. A longer shot is divided into equal pieces."""
    min_s: float = Field(default=1.0, gt=0)
    """Shortest clip of a video that is cut. Shorter pieces are left out."""
    source_max_s: float = Field(default=3600.0, gt=0)
    """Longest video that is fetched to be cut."""

    @model_validator(mode="after")
    def _ordered(self) -> Clips:
        if self.min_s >= self.max_s:
            raise ValueError("min_s must be less than max_s")
        return self
