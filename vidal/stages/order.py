"""The stages, in the order of the pipeline."""

from __future__ import annotations

from vidal.pipeline.stage import Stage
from vidal.stages import (
    audio,
    captions,
    crawl,
    depth,
    enhanced,
    filtering,
    grounding,
    infrared,
    keyframes,
    manifest,
    measure,
    similarity,
    sound,
)

STAGES: dict[str, Stage] = {
    module.STAGE.name: module.STAGE
    for module in (
        crawl,
        keyframes,
        measure,
        similarity,
        filtering,
        depth,
        infrared,
        audio,
        captions,
        sound,
        enhanced,
        grounding,
        manifest,
    )
}
