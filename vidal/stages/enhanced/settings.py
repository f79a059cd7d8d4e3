"""Settings of the rewriter, and of the checks of its answers."""

from __future__ import annotations

from pydantic import Field

from vidal.config.base import ModelSpec, Settings


class Enhanced(Settings):
    """The rewriter of captions. Its words must be supported by another view: by a lemma, a synonym, or the pictures."""

    model: ModelSpec | None = None
    """The rewriter; null leaves this view out."""
    prompt: str = "enhance.yaml"
    """A file of pipelines/prompts, or a path."""
    guard_tagger: str = "en_core_web_sm"
    """The spaCy pipeline that checks rewrites."""
    reject_unsupported: bool = True
    """Whether a rewrite with unsupported words is rejected, or only flagged."""
    synonym_min: float | None = Field(default=0.78, gt=0, le=1)
    """The lowest cosine at which two words count as synonyms; null uses no synonyms."""
    seen_min: float | None = Field(default=None, ge=-1, le=1)
    """The lowest cosine of a word and the clip (similarity model) at which the pictures support the word; null ignores the pictures."""
    concurrency: int = Field(default=1, ge=1)
    """Simultaneous requests, for an adapter that asks a server."""
