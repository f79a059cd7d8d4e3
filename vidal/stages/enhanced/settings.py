"""Settings of the rewriter, and of the checks of its answers."""

from __future__ import annotations

from pydantic import Field

from vidal.config.base import ModelSpec, Settings


class Enhanced(Settings):
    """The rewriter of captions. What a rewrite names must be supported by a word of another view, by a synonym, or by the pictures."""

    model: ModelSpec | None = None
    """The rewriter; null leaves this view out."""
    prompt: str = "enhance.yaml"
    """A file of pipelines/prompts, or a path."""
    guard_tagger: str = "en_core_web_sm"
    """The spaCy pipeline that checks rewrites."""
    reject_unsupported: bool = True
    """Whether a rewrite with unsupported words is rejected; otherwise it is only flagged."""
    synonym_min: float | None = Field(default=0.78, gt=0, le=1)
    """The lowest cosine at which two words count as synonyms; null uses no synonyms."""
    seen_min: float | None = Field(default=None, ge=-1, le=1)
    """The lowest cosine of word and clip at which the pictures support a word (model of `similarity`); null ignores the pictures."""
    concurrency: int = Field(default=1, ge=1)
    """Simultaneous requests, for an adapter that asks a server."""
