"""Describes a sound track by filling a template, but only if the audio stage has tagged it as speech. Other tags are not used."""

from __future__ import annotations

from vidal.config.base import ModelSpec
from vidal.models.protocols import Images

# The only tag that two models must agree on. Singing and music, even if a recipe tags them, are wrong too often for a sentence.
_NAMED = "speech"


class TagTemplate:
    """A SoundCaptioner that needs no model."""

    imagines = False

    def __init__(self, spec: ModelSpec):
        self.name, self.revision = "tags of the audio stage", spec.revision or "2"

    def caption_sound(self, images: Images, tags: list[str], prompt: str) -> str:
        """Returns the prompt with {things} replaced by "speech"; an empty text if "speech" is not among the tags."""
        return prompt.format(things=_NAMED) if _NAMED in tags else ""
