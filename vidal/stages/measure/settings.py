"""Which statistics of a clip are computed."""

from __future__ import annotations

from pydantic import Field

from vidal.config.base import ModelSpec, Settings


class FrameModel(Settings):
    """A model that scores stored frames of a clip."""

    model: ModelSpec
    """The model."""
    frames: int | None = Field(default=None, ge=1)
    """How many frames the model is given, evenly spread over the clip. `null` gives it all stored frames."""


class Language(Settings):
    """How the language of title and hashtags is detected. The column `language` of the manifest names the language."""

    model: ModelSpec = ModelSpec(adapter="py3langid")
    """The model. Its `options.languages` lists the languages that it chooses from."""
    confidence_min: float = Field(default=0.5, ge=0, le=1)
    """If the model is less confident than this (0 to 1), the language is null."""


class Measure(Settings):
    """Which scores of the pictures are measured, and how the language is detected. docs/columns.md explains the scores."""

    pictures: bool = True
    """Whether brightness, contrast, saturation, and black and frozen frames are measured."""
    blur: bool = True
    """Whether sharpness is measured."""
    motion: bool = True
    """Whether motion is measured."""
    motion_pairs: int = Field(default=3, ge=1)
    """Largest number of places of a video at which motion is measured."""
    text: FrameModel | None = None
    """Model for the score `text_share`, the share of the picture that is readable text."""
    nsfw: FrameModel | None = None
    """Model for the score `nsfw`, the probability that a picture is unsafe for work."""
    aesthetic: FrameModel | None = None
    """Model for the score `aesthetic`, which says how beautiful the pictures are."""
    language: Language | None = Language()
    """Model that detects the language, if the page states none."""
