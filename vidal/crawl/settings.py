"""How videos that are too long are cut into clips."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from vidal.config.base import Settings


class Clips(Settings):
    """If `clips.detector` is set, videos longer than `clips.max_s` are cut at the boundaries of their shots. Each piece becomes a
    clip. A span of a video that your list asks for (`start_s`, `end_s`) is not cut.
    """

    detector: Literal["content", "transnetv2"] | None = None
    """How the boundaries of shots are found. `content` finds abrupt changes, and is cheap. `transnetv2` is a neural network that finds
    fades too. With `null`, no video is cut, and videos longer than `text.duration_max_s` are dropped."""
    threshold: float | None = Field(default=None, gt=0)
    """How strong a change must be to count as a boundary. For `content`, the value is from 0 to 255, and `null` means 27. For
    `transnetv2`, it is a probability, and `null` means 0.5."""
    max_s: float = Field(default=20.0, gt=0)
    """Longest piece. A longer shot is divided into equal pieces."""
    min_s: float = Field(default=1.0, gt=0)
    """Shorter pieces are left out."""
    source_max_s: float = Field(default=3600.0, gt=0)
    """Longest video that is fetched to be cut."""

    @model_validator(mode="after")
    def _ordered(self) -> Clips:
        if self.min_s >= self.max_s:
            raise ValueError("min_s must be less than max_s")
        return self
