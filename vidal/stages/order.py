"""The stages in the order of the pipeline, and the views that are media files. To add a stage or a view, add its entry here."""

from __future__ import annotations

from vidal.config.base import ADDED_SECTIONS
from vidal.pipeline.stage import Stage
from vidal.schema import View
from vidal.stages import crawl
from vidal.stages.audio import stage as audio
from vidal.stages.captions import stage as captions
from vidal.stages.depth import stage as depth
from vidal.stages.enhanced import stage as enhanced
from vidal.stages.filter import stage as filter_
from vidal.stages.grounding import stage as grounding
from vidal.stages.infrared import stage as infrared
from vidal.stages.keyframes import stage as keyframes
from vidal.stages.manifest.stage import manifest_stage
from vidal.stages.measure import stage as measure
from vidal.stages.similarity import stage as similarity
from vidal.stages.sound import stage as sound
from vidal.stages.view import ViewSpec

VIEWS: dict[str, ViewSpec] = {view.name: view for view in (depth.VIEW, infrared.VIEW, audio.VIEW)}

_BEFORE_VIEWS = (crawl.STAGE, keyframes.STAGE, measure.STAGE, similarity.STAGE, filter_.STAGE)
_AFTER_VIEWS = (captions.STAGE, sound.STAGE, enhanced.STAGE, grounding.STAGE)


def _in_order() -> dict[str, Stage]:
    views = [view.stage for view in VIEWS.values()]
    stages = [*_BEFORE_VIEWS, *views, *_AFTER_VIEWS, manifest_stage(VIEWS)]
    return {stage.name: stage for stage in stages}


STAGES: dict[str, Stage] = _in_order()


def view_names() -> list[str]:
    """Returns the names of all views that the ledger has rows for, including views that plugins add."""
    return list(dict.fromkeys([*(view.value for view in View), *VIEWS]))


def add_view(view: ViewSpec) -> None:
    """Adds a view that a user's own package defines.

    The stage of the view runs after those of vidal's own views. The settings of the view are a section of the recipe.
    A module of the package must call add_view when the module is imported. The recipe lists this module under `plugins`. Adding a view
    again has no effect.
    """
    VIEWS.setdefault(view.name, view)
    ADDED_SECTIONS.setdefault(view.name, view.settings)
    STAGES.clear()
    STAGES.update(_in_order())
