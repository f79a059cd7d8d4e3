"""The rewriter, and the checks of its answers."""

from __future__ import annotations

from pydantic import Field

from vidal.config.base import ModelSpec, Settings


class Enhanced(Settings):
    """The rewriter of captions. Its words must be supported by another view: by a lemma, a synonym, or the pictures."""

    model: ModelSpec | None = None
    """The rewriter; null gives no such view."""
    prompt: str = "enhance.yaml"
    """A file of pipelines/prompts, or a path."""
    guard_tagger: str = "en_core_web_sm"
    """The spaCy pipeline that checks rewrites."""
    reject_unsupported: bool = True
    """Whether a rewrite with unsupported words is rejected, or only flagged."""
    synonym_min: float | None = Field(default=0.78, gt=0, le=1)
    """Cosine from which two words count as synonyms; null knows none."""
    seen_min: float | None = Field(default=None, ge=-1, le=1)
    """Cosine of a word and the clip (similarity model) from which the pictures support the word; null does not look."""
    concurrency: int = Field(default=1, ge=1)
    """Requests at a time, for an adapter that asks a server."""
