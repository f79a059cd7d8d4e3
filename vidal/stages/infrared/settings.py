"""How infrared is synthesised and stored."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from vidal.stages.frame_view_settings import FrameViewSettings


class Infrared(FrameViewSettings):
    """How infrared is synthesised and stored. A style is a random input of the model. `mode: own` gives all frames of a clip the same
    style and the same range of intensities. `mode: paper` repeats what VIDAL-10M's script does with the model sRGB-TIR. Frames are
    stretched to 640 x 400 pixels, and every frame gets its own style and its own range. `mode: paper` needs the adapter `munit`.
    """

    # vidal/stages/infrared/quality.py explains how each score is computed.
    scores: ClassVar[dict[str, str]] = {
        "infrared_luminance_correlation": (
            "correlation of the infrared with the luminance of the frame, mean over frames: -1 means an inverted gray picture"
        ),
        "infrared_luminance_explained": (
            "share of the infrared's variance that the best function of the frame's luminance explains: "
            "1 means a recoloured gray picture"
        ),
        "infrared_flicker": "change of the infrared's mean level between neighbouring frames",
        "infrared_flicker_rgb": "change of the frames' own mean luminance between neighbouring frames, as a reference",
    }

    paper_adapter: ClassVar[str] = "munit"

    format: Literal["jpg", "png"] = "jpg"
    """File format of the pictures."""
    quality: int = Field(default=95, ge=1, le=100)
    """Quality of jpg, from 1 to 100."""
