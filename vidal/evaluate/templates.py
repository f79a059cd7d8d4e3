"""Prompt templates: OpenAI's eighty for ImageNet, with the word for what is shown; sounds have their own."""

from __future__ import annotations

from open_clip import OPENAI_IMAGENET_TEMPLATES

SOUND = ("a sound of {}.",)


def pictures(word: str) -> tuple[str, ...]:
    """word: what stands for "photo", e.g. "video" or "depth photo"."""
    return tuple(template("{}").replace("photo", word) for template in OPENAI_IMAGENET_TEMPLATES)
