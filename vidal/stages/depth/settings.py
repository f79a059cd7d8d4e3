"""How depth is estimated and stored."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from vidal.stages.frame_view_settings import FrameViewSettings


class Depth(FrameViewSettings):
    """How depth is estimated and stored. `mode: own` stores the estimate of the model. `mode: paper` repeats what VIDAL-10M's script
    does with the model GLPN: frames are forced to 448 x 796 pixels, depth is clipped at 10 m, and millimetres are rounded down. The
    adapter must then be `transformers`.
    """

    # vidal/stages/depth/quality.py explains how the measures of quality are computed.
    scores: ClassVar[dict[str, str]] = {
        "depth_valid_share": "share of pixels with a depth",
        "depth_low": "1st percentile of the depth, in metres if metric, else in the model's own numbers",
        "depth_high": "99th percentile of the depth, in the unit of depth_low",
        "depth_at_0": "the value that 0 stands for in the PNGs, if depth is not metric",
        "depth_at_65535": "the value that 65535 stands for in the PNGs, if depth is not metric",
        "depth_clipped_pixels": "number of pixels beyond the range of the PNGs or of the recipe",
        "depth_clipped_share": "share of the pixels that are beyond the range of the PNGs or of the recipe",
        "depth_field_of_view_deg": "horizontal field of view that the model estimates, in degrees, median over frames",
        "depth_temporal_consistency": "rank correlation of the depth of neighbouring frames, which may be seconds apart",
        "depth_luminance_consistency": "the same as depth_temporal_consistency, but of the pictures' luminance, as a reference",
        "depth_scale_change": "mean |ln| of the ratio of the median depths of neighbouring frames",
        "depth_edge_agreement": (
            "share of the strong depth edges that lie near edges of the picture, corrected for chance: 0 means as many as "
            "by chance, and 1 means all; a value near 1 indicates a copy of the texture"
        ),
    }

    paper_adapter: ClassVar[str] = "transformers"

    max_m: float | None = Field(default=None, gt=0, le=65.535)
    """Largest depth in metres, if the model estimates metres. Larger depths are clipped and counted. `null` means 65.535 with `mode:
    own`, and 10 with `mode: paper`."""
