"""How infrared is synthesised and stored."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from vidal.stages.frame_view_settings import FrameViewSettings


class Infrared(FrameViewSettings):
    """Without a model the view is absent and the ledger says no_estimator.

    mode: own (one style and one range of intensities for a clip), or paper, which is what VIDAL-10M's script does with
    sRGB-TIR: pictures forced to 640 x 400, a new random style and a range of its own for every frame. short_side: of the
    stored pictures, which are never larger than the frames; null takes the frames' own, in mode paper 256. quality: of jpg.
    """

    paper_adapter: ClassVar[str] = "munit"

    format: Literal["jpg", "png"] = "jpg"
    quality: int = Field(default=95, ge=1, le=100)
