"""Settings of the rewriter, and of the checks of its answers."""

from __future__ import annotations

from pydantic import Field

from vidal.config.base import ModelSpec, Settings


class Enhanced(Settings):
    """The view enhanced: a rewrite of the caption of the clip. Each thing that a rewrite names must be supported: by a word of
    another view, by a synonym of such a word or, with seen_min, by the pictures.
    """

    model: ModelSpec | None = None
    """The rewriter: a language model. null leaves this view out."""
    prompt: str = "enhance.yaml"
    """The prompt: the name of a file in pipelines/prompts, or a path."""
    guard_tagger: str = "en_core_web_sm"
    """The spaCy pipeline that finds the nouns and verbs of a rewrite, so that they can be checked."""
    reject_unsupported: bool = True
    """Whether a rewrite is rejected if it names something that is not supported. If false, it is kept with the flag unsupported."""
    synonym_min: float | None = Field(default=0.78, gt=0, le=1)
    """Two words count as synonyms if the cosine of their vectors is at least this. null accepts no synonyms."""
    seen_min: float | None = Field(default=None, ge=-1, le=1)
    """The pictures support a word if the cosine of the word with the clip, by similarity.model, is at least this. null ignores the
    pictures."""
    concurrency: int = Field(default=1, ge=1)
    """Simultaneous requests to the model, if it runs on a server."""
