"""How videos that are too long are cut into clips."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from vidal.config.base import Settings


class Clips(Settings):
    """Long videos are cut at shot boundaries. Clips may still contain shot boundaries; with a detector, the score `cuts` counts them."""

    detector: Literal["content", "transnetv2"] | None = None
    """The detector that finds cuts: content (hard cuts, cheap) or transnetv2; null cuts nothing and drops long videos."""
    threshold: float | None = Field(default=None, gt=0)
    """Threshold of the detector; null means its default."""
    max_s: float = Field(default=20.0, gt=0)
    """Longest clip."""
    min_s: float = Field(default=1.0, gt=0)
    """Shortest piece of a video that is cut; shorter ones are left out."""
    source_max_s: float = Field(default=3600.0, gt=0)
    """The longest video that is fetched to be cut."""

    @model_validator(mode="after")
    def _ordered(self) -> Clips:
        if self.min_s >= self.max_s:
            raise ValueError("min_s must be less than max_s")
        return self
