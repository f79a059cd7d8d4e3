"""The stages, in the order of the pipeline."""

from __future__ import annotations

from vidal.pipeline.stage import Stage
from vidal.stages import crawl
from vidal.stages.audio import stage as audio
from vidal.stages.captions import stage as captions
from vidal.stages.depth import stage as depth
from vidal.stages.enhanced import stage as enhanced
from vidal.stages.filter import stage as filtering
from vidal.stages.grounding import stage as grounding
from vidal.stages.infrared import stage as infrared
from vidal.stages.keyframes import stage as keyframes
from vidal.stages.manifest import stage as manifest
from vidal.stages.measure import stage as measure
from vidal.stages.similarity import stage as similarity
from vidal.stages.sound import stage as sound

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
