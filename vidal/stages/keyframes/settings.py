"""Which frames of a clip are stored."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from vidal.config.base import Settings


class Keyframes(Settings):
    """times: linspace (first to last), paper (i * (n // count)) or scene (middles of equal parts of each shot).

    quality: of jpg and webp.
    """

    count: int = Field(default=8, ge=1)
    times: Literal["linspace", "paper", "scene"] = "linspace"
    short_side: int = Field(default=256, ge=16)
    format: Literal["jpg", "png", "webp"] = "jpg"
    quality: int = Field(default=92, ge=1, le=100)
