"""Settings of the rewriter, and of the checks of its answers."""

from __future__ import annotations

from pydantic import Field

from vidal.config.base import ModelSpec, Settings


class Enhanced(Settings):
    """A language model rewrites the caption of the whole clip (the view `video`). Without this caption, it rewrites the title. The
    words of the rewrite are checked: a word is supported if it, or a synonym, occurs in another text of the clip. With `seen_min`,
    the pictures can support a word too. [views.md](views.md#checks) lists all checks.
    """

    model: ModelSpec | None = None
    """The language model."""
    prompt: str = "enhance.yaml"
    """Prompt file: a path, or a name in `pipelines/prompts`."""
    guard_tagger: str = "en_core_web_sm"
    """The spaCy pipeline that finds the nouns, verbs, adjectives and numbers to check."""
    reject_unsupported: bool = True
    """Whether a rewrite with an unsupported word is rejected. If false, it is kept with the flag `unsupported`."""
    synonym_min: float | None = Field(default=0.78, gt=0, le=1)
    """Two words count as synonyms if the cosine of their vectors is at least this. `null` accepts no synonyms."""
    seen_min: float | None = Field(default=None, ge=-1, le=1)
    """The pictures support a word if `similarity.model` gives the word and the clip at least this cosine. `null` ignores the
    pictures."""
    concurrency: int = Field(default=1, ge=1)
    """Largest number of simultaneous requests, if the model runs on a server."""
