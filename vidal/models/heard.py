"""What a sound track holds, in words: the tags that the audio stage gave it, in a plain template. It adds nothing."""

from __future__ import annotations

from vidal.models import Images
from vidal.settings import ModelSpec

_KNOWN = ("speech", "singing", "music")  # Of the tags, those that name a sound.


class Heard:
    imagines = False

    def __init__(self, spec: ModelSpec):
        self.name, self.revision = "tags of the audio stage", spec.revision or "1"

    def sound(self, images: Images, tags: list[str], prompt: str) -> str:
        """prompt: the template, with {things}. Empty where no tag names a sound."""
        things = [tag for tag in _KNOWN if tag in tags]
        return prompt.format(things=" and ".join(things)) if things else ""
