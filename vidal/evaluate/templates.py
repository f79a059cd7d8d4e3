"""Prompt templates: OpenAI's eighty for ImageNet, in which "photo" is replaced for videos and depth, and one template for sounds."""

from __future__ import annotations

from open_clip import OPENAI_IMAGENET_TEMPLATES

SOUND = ("a sound of {}.",)


def pictures(word: str) -> tuple[str, ...]:
    """Returns the eighty templates of ImageNet. word: replaces "photo", such as "video" or "depth photo"."""
    return tuple(template("{}").replace("photo", word) for template in OPENAI_IMAGENET_TEMPLATES)


PHOTO = pictures("photo")
