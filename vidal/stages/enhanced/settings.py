"""Settings of the rewriter, and of the checks of its answers."""

from __future__ import annotations

from pydantic import Field

from vidal.config.base import ModelSpec, Settings


class Enhanced(Settings):
    """The rewriter of captions. Each word of a rewrite that names something must occur in another view, be a synonym of a word there, or
    be visible in the pictures.
    """

    model: ModelSpec | None = None
    """The rewriter; null leaves this view out."""
    prompt: str = "enhance.yaml"
    """The prompt: a file of pipelines/prompts, or a path."""
    guard_tagger: str = "en_core_web_sm"
    """The spaCy pipeline that checks rewrites."""
    reject_unsupported: bool = True
    """Whether a rewrite with unsupported words is rejected; otherwise it is only flagged."""
    synonym_min: float | None = Field(default=0.78, gt=0, le=1)
    """The lowest cosine at which two words count as synonyms; null uses no synonyms."""
    seen_min: float | None = Field(default=None, ge=-1, le=1)
    """The pictures support a word if its cosine with the clip (by similarity.model) is at least this; null ignores the pictures."""
    concurrency: int = Field(default=1, ge=1)
    """Simultaneous requests to the model, if the adapter asks a server."""
