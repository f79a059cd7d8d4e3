"""Grounding: how well each text agrees with the frames that it describes, and which texts contradict each other."""

from __future__ import annotations

from typing import Any

import numpy as np

from vidal import schema
from vidal.config.recipe import Recipe
from vidal.models.protocols import Scorer
from vidal.models.registry import SCORERS, open_model
from vidal.pipeline.stage import ModelUse, Output, Runtime, Stage
from vidal.records import Clip
from vidal.schema import Subject, View
from vidal.scores import round_score
from vidal.stages.grounding import contradictions
from vidal.storage.storage import Storage
from vidal.terms import tagging


class _Worker:
    def __init__(self, recipe: Recipe, runtime: Runtime, storage: Storage):
        self._scorer: Scorer = open_model(SCORERS, recipe.similarity.model)
        self._tagger = recipe.enhanced.guard_tagger

    def __call__(self, clip: Clip) -> Output:
        captions = [caption.copy() for caption in (*clip["captions"], *clip["enhanced"], *clip["sound"])]
        frames = np.array(clip["frame_embeddings"] or [], np.float32)
        visible = [caption for caption in captions if caption["text"] and caption["view"] != View.SOUND.value]
        if len(frames) and visible:
            vectors = self._scorer.embed_texts([caption["text"] for caption in visible])
            for caption, vector in zip(visible, vectors, strict=True):
                described = frames if caption["frame"] is None else frames[caption["frame"]][None]
                caption["similarity"] = round_score(float((described @ vector).mean()))
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
