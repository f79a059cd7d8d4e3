"""Which statistics of a clip are computed."""

from __future__ import annotations

from pydantic import Field

from vidal.config.base import ModelSpec, Settings


class FrameModel(Settings):
    """A model that is given stored frames of a clip."""

    model: ModelSpec
    """The model."""
    frames: int | None = Field(default=None, ge=1)
    """How many frames the model is given, evenly spread over the clip; null means all stored frames."""


class Language(Settings):
    """The model that detects languages."""

    model: ModelSpec = ModelSpec(adapter="py3langid")
    """The model. Its options.languages are the ISO 639-1 codes that it chooses from."""
    confidence_min: float = Field(default=0.5, ge=0, le=1)
    """If the model is less confident than this (0 to 1), the language is null."""


class Measure(Settings):
    """Which scores of a clip are measured. docs/columns.md says what they mean. Nothing is dropped here: the section `filters` does
    that.
    """

    pictures: bool = True
    """Whether brightness, contrast, saturation, and black and frozen frames are measured."""
    blur: bool = True
    """Whether sharpness is measured."""
    motion: bool = True
    """Whether motion is measured, by optical flow."""
    motion_pairs: int = Field(default=3, ge=1)
    """The largest number of places of a video at which motion is measured."""
    text: FrameModel | None = None
    """Measures which share of the picture is readable text (score text_share); null does not."""
    nsfw: FrameModel | None = None
    """Estimates the probability that a picture is unsafe for work (score nsfw); null does not."""
    aesthetic: FrameModel | None = None
    """Rates how beautiful the pictures are (score aesthetic); null does not."""
    language: Language | None = Language()
    """Detects the language of title and hashtags, if the page states none; null does not."""
