"""Similarity: do the pictures show what the words say? It measures; the filter decides.

A sound has no frames. As in the paper, it is compared by text: its title with the search terms that found it.
"""

from __future__ import annotations

import numpy as np

from vidal import schema
from vidal.config import Recipe
from vidal.models import SCORERS, Scorer, open_model
from vidal.schema import Kind, Subject
from vidal.stage import Output, Record, Runtime, Stage
from vidal.stages import pictures
from vidal.storage import Storage


class _Worker:
    def __init__(self, recipe: Recipe, runtime: Runtime, storage: Storage):
        self._storage = storage
        self._scorer: Scorer = open_model(SCORERS, recipe.similarity.model)

    def __call__(self, clip: Record) -> Output:
        if clip["kind"] == Kind.AUDIO.value:
            return Output([self._row(clip, self._by_terms(clip), {}, "title, search terms")])
        frames = self._scorer.images(pictures.load(self._storage, clip["frame_paths"]))
        each = frames @ self._scorer.texts([clip["text"]])[0]
        mean = float(each.mean())
        scores = {"similarity_max": float(each.max()), "similarity_min": float(each.min())}
        return Output([self._row(clip, mean, scores, "frames, title and hashtags")])

    def _by_terms(self, clip: Record) -> float | None:
        """Nearest search term; null where none is known, as in a catalogue."""
        if not clip["search_terms"]:
            return None
        vectors = self._scorer.texts([clip["text"], *clip["search_terms"]])
        return float(np.max(vectors[1:] @ vectors[0]))

    def _row(self, clip: Record, similarity: float | None, scores: dict[str, float], between: str) -> Record:
        # Four digits: what is beyond differs between processors, and the bytes of a shard must not.
        rounded = {key: round(value, 4) for key, value in scores.items()}
        return {
            "clip_id": clip["clip_id"],
            "similarity": None if similarity is None else round(similarity, 4),
            "scores": list(rounded.items()),
            "compared": between,
        }


STAGE = Stage(
    name="similarity",
    subject=Subject.CLIP,
    reads=("keyframes", "crawl"),
    schema=schema.SIMILARITY,
    open=_Worker,
    settings=lambda recipe: recipe.similarity,
    module=__name__,
    code=("vidal.models.conse", "vidal.models.classifier", "vidal.models.sentences", "vidal.models.open_clip_scorer"),
)
