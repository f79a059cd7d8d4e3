"""The rewriter, and the checks of its answers."""

from __future__ import annotations

from pydantic import Field

from vidal.config.base import ModelSpec, Settings


class Enhanced(Settings):
    """The rewriter, and the guard that holds its words against the other views.

    A word is supported by a view's lemma, by a synonym (words whose vectors have the cosine synonym_min; null knows none), or by
    the pictures (seen_min: cosine of the word and the clip in the similarity model's space; null does not look).
    concurrency: requests at a time, for an adapter that asks a server.
    """

    model: ModelSpec | None = None
    prompt: str = "enhance.yaml"
    guard_tagger: str = "en_core_web_sm"
    reject_unsupported: bool = True
    synonym_min: float | None = Field(default=0.78, gt=0, le=1)
    seen_min: float | None = Field(default=None, ge=-1, le=1)
    concurrency: int = Field(default=1, ge=1)
