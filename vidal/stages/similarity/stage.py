"""Measures how well the frames of a clip agree with its title, hashtags and search terms. No clip is dropped here: the filter does that.

A sound has no frames, so its title and hashtags are compared with its search terms instead, as in VIDAL-10M.
"""

from __future__ import annotations

import numpy as np

from vidal import schema
from vidal.config.recipe import Recipe
from vidal.models.protocols import Scorer
from vidal.models.registry import SCORERS, open_model
from vidal.pipeline.stage import ModelUse, Output, Runtime, Stage, overlapping
from vidal.records import Clip, SimilarityRow
from vidal.schema import Kind, Subject
from vidal.scores import round_score
from vidal.sources.settings import Text
from vidal.sources.text import meaningful_tags, split_words
from vidal.stages import pictures
from vidal.stages.vectors import rounded
from vidal.storage.storage import Storage


class _Worker:
    def __init__(self, recipe: Recipe, runtime: Runtime, storage: Storage):
        self._text, self._storage = recipe.text, storage
        self._scorer: Scorer = open_model(SCORERS, recipe.similarity.model)

    def __call__(self, clip: Clip) -> Output:
        if clip["kind"] == Kind.AUDIO.value:
            return Output([self._row(clip, self._by_terms(clip), {}, "title, search terms")])
        frames = self._scorer.embed_images(pictures.load(self._storage, clip["frame_paths"]))
        mean, scores = compare(frames, texts_of(clip, self._text), self._scorer)
        return Output([self._row(clip, mean, scores, "frames, title and hashtags", frames)])

    def _by_terms(self, clip: Clip) -> float | None:
        """Compares the text of a clip (title and hashtags) with each of its search terms. Returns the largest cosine.

        Returns None for a clip without search terms, such as a clip of a catalogue.
        """
        if not clip["search_terms"]:
            return None
        vectors = self._scorer.embed_texts([clip["text"] or "", *clip["search_terms"]])
        return float(np.max(vectors[1:] @ vectors[0]))

    def _row(
        self,
        clip: Clip,
        similarity: float | None,
        scores: dict[str, float],
        between: str,
        frames: np.ndarray | None = None,
    ) -> SimilarityRow:
        shortened = {key: round_score(value) for key, value in scores.items()}
        return {
            "clip_id": clip["clip_id"],
            "similarity": None if similarity is None else round_score(similarity),
            "scores": list(shortened.items()),
            "compared": between,
            "embedding": [] if frames is None else embedding(frames),
            "frame_embeddings": [] if frames is None else [rounded(each) for each in frames],
        }


def texts_of(clip: Clip, rules: Text) -> dict[str, list[str]]:
    """Returns the texts that the frames of a clip are compared with. Each key names the score that results from the comparison.

    The texts are title and hashtags together, the title, the hashtags, and the search terms. rules: its junk_tags and stop_words are left
    out of the hashtags.
    """
    title = " ".join(split_words(clip["title"] or ""))
    tags = " ".join(meaningful_tags(clip["hashtags"], rules))
    return {
        "similarity": [clip["text"] or ""],
        "similarity_title": [title] if title else [],
        "similarity_hashtags": [tags] if tags else [],
        "similarity_term_max": list(clip["search_terms"]),
    }


def compare(frames: np.ndarray, texts: dict[str, list[str]], scorer: Scorer) -> tuple[float, dict[str, float]]:
    """Returns the score `similarity`, and the other scores by name.

    A score is the cosine between its text and a frame, averaged over all frames. If it has several texts, the highest average counts.
    If it has none, the score is absent. similarity_max and similarity_min are not averaged: they are the highest and lowest cosine
    between a frame and the text of `similarity`.

    frames: (n, d), L2-normalised embeddings. texts: the texts of each score, by its name. The first score is `similarity`, with one text.
    """
    named = [(name, text) for name, each in texts.items() for text in each]
    cosines = frames @ scorer.embed_texts([text for _, text in named]).T
    means = cosines.mean(axis=0)
    scores = {"similarity_max": float(cosines[:, 0].max()), "similarity_min": float(cosines[:, 0].min())}
    for (name, _), mean in zip(named[1:], means[1:], strict=True):
        scores[name] = max(float(mean), scores.get(name, -1.0))
    return float(means[0]), scores


def embedding(frames: np.ndarray) -> list[float]:
    """Returns the embedding of the clip: the mean of the embeddings of its frames, L2-normalised, rounded to four decimals."""
    mean = frames.mean(axis=0)
    unit = mean / max(float(np.linalg.norm(mean)), 1e-12)
    return rounded(unit)


STAGE = Stage(
    name="similarity",
    version=1,
    subject=Subject.CLIP,
    reads=("keyframes", "crawl"),
    schema=schema.SIMILARITY,
    open=_Worker,
    settings=lambda recipe: [recipe.similarity.model_dump(mode="json"), recipe.text.junk_tags, recipe.text.stop_words],
    models=lambda recipe: [ModelUse("", SCORERS, recipe.similarity.model)],
    parts_at_once=overlapping("similarity"),
)
