"""What a sound track holds, in words: the tags that the audio stage gave it, in a plain template. It adds nothing."""

from __future__ import annotations

from vidal.config.base import ModelSpec
from vidal.models.protocols import Images

# The only tag that two models agree on. Singing and music, where a recipe makes tags of them, are too often wrong for a sentence.
_NAMED = "speech"


class TagTemplate:
    imagines = False

    def __init__(self, spec: ModelSpec):
        self.name, self.revision = "tags of the audio stage", spec.revision or "2"

    def caption_sound(self, images: Images, tags: list[str], prompt: str) -> str:
        """prompt: the template, with {things}. Returns an empty text where no speech is heard."""
        return prompt.format(things=_NAMED) if _NAMED in tags else ""
