"""Prompt templates: OpenAI's eighty for ImageNet, with "photo" replaced for videos and depth, but not for infrared; one for sounds."""

from __future__ import annotations

from open_clip import OPENAI_IMAGENET_TEMPLATES

SOUND = ("a sound of {}.",)


def pictures(word: str) -> tuple[str, ...]:
    """Returns the eighty templates. word: takes the place of "photo"; for example "video" or "depth photo"."""
    return tuple(template("{}").replace("photo", word) for template in OPENAI_IMAGENET_TEMPLATES)


PHOTO = pictures("photo")
