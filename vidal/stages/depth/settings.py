"""How depth is estimated and stored."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from vidal.stages.frame_view_settings import FrameViewSettings


class Depth(FrameViewSettings):
    """Without a model the view is absent and the ledger says no_estimator.

    mode: own, or paper, which is what VIDAL-10M's script does with GLPN: pictures forced to 448 x 796 whatever their
    aspect, stored at short side 256, cut at 10 m, millimetres rounded down. short_side: of the stored pictures, which are
    never larger than the frames; null takes the mode's, which is the frames' own. max_m: metric depth beyond it is cut and
    counted; null takes the mode's, which is all that 16 bits of millimetres hold.
    """

    paper_adapter: ClassVar[str] = "transformers"

    max_m: float | None = Field(default=None, gt=0, le=65.535)
