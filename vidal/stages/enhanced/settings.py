"""Settings of the rewriter, and of the checks of its answers."""

from __future__ import annotations

from pydantic import Field

from vidal.config.base import ModelSpec, Settings


class Enhanced(Settings):
    """A language model rewrites the caption of the clip. Each thing that the rewritten caption names must be supported by a word of
    another view, or by a synonym of such a word. With `seen_min`, the pictures can support it too.
    """

    model: ModelSpec | None = None
    """The language model."""
    prompt: str = "enhance.yaml"
    """Name of a file in `pipelines/prompts`, or a path."""
    guard_tagger: str = "en_core_web_sm"
    """The spaCy pipeline that finds the nouns and verbs to check."""
    reject_unsupported: bool = True
    """Whether a caption with an unsupported word is rejected. If false, it is kept with the flag `unsupported`."""
    synonym_min: float | None = Field(default=0.78, gt=0, le=1)
    """Two words count as synonyms if the cosine of their vectors is at least this. `null` accepts no synonyms."""
    seen_min: float | None = Field(default=None, ge=-1, le=1)
    """The pictures support a word if `similarity.model` gives the word and the clip at least this cosine. `null` ignores the
    pictures."""
    concurrency: int = Field(default=1, ge=1)
    """Largest number of simultaneous requests, if the model runs on a server."""
