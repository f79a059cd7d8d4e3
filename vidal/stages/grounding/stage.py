"""Grounding: how far each text agrees with the frames it speaks of, and which texts contradict each other."""

from __future__ import annotations

from typing import Any

import numpy as np

from vidal import schema
from vidal.config.recipe import Recipe
from vidal.models.protocols import Scorer
from vidal.models.registry import SCORERS, open_model
from vidal.pipeline.stage import ModelUse, Output, Record, Runtime, Stage
from vidal.schema import Subject, View
from vidal.stages.grounding import contradictions
from vidal.storage.storage import Storage
from vidal.terms import tagging


class _Worker:
    def __init__(self, recipe: Recipe, runtime: Runtime, storage: Storage):
        self._scorer: Scorer = open_model(SCORERS, recipe.similarity.model)
        self._tagger = recipe.enhanced.guard_tagger

    def __call__(self, clip: Record) -> Output:
        captions = [dict(each) for each in (*clip["captions"], *clip["enhanced"], *clip["sound"])]
        frames = np.array(clip["frame_embeddings"] or [], np.float32)
        seen = [each for each in captions if each["text"] and each["view"] != View.SOUND.value]
        if len(frames) and seen:
            vectors = self._scorer.texts([each["text"] for each in seen])
            for each, vector in zip(seen, vectors, strict=True):
                of = frames if each["frame"] is None else frames[each["frame"]][None]
                each["similarity"] = round(float((of @ vector).mean()), 4)
        contradictions.mark(captions, self._tagger)
        return Output([{"clip_id": clip["clip_id"], "captions": captions}])


def _settings(recipe: Recipe) -> Any:
    return [recipe.similarity.model.model_dump(mode="json"), tagging.identity(recipe.enhanced.guard_tagger)]


STAGE = Stage(
    name="grounding",
    version=1,
    subject=Subject.CLIP,
    reads=("captions", "enhanced", "sound", "similarity"),
    schema=schema.CAPTIONED,
    open=_Worker,
    settings=_settings,
    models=lambda recipe: [ModelUse("", SCORERS, recipe.similarity.model)],
)
