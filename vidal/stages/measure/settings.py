"""Which statistics of a clip are computed."""

from __future__ import annotations

from pydantic import Field

from vidal.config.base import ModelSpec, Settings


class FrameModel(Settings):
    """A model that looks at stored frames."""

    model: ModelSpec
    """The model that gets the frames."""
    frames: int | None = Field(default=None, ge=1)
    """How many frames the model gets, evenly spread over the clip; null means all."""


class Language(Settings):
    """The detector of languages."""

    model: ModelSpec = ModelSpec(adapter="py3langid")
    """The detector; options.languages are the ISO 639-1 codes to choose from."""
    confidence_min: float = Field(default=0.5, ge=0, le=1)
    """Lowest confidence; below it, the language stays null."""


class Measure(Settings):
    """Which statistics of a clip are computed. docs/columns.md says what they mean. Nothing is dropped here."""

    pictures: bool = True
    """Whether to measure brightness, contrast, saturation, and black and frozen frames."""
    blur: bool = True
    """Whether to measure sharpness."""
    motion: bool = True
    """Whether to measure motion, by optical flow."""
    motion_pairs: int = Field(default=3, ge=1)
    """The largest number of places of a video at which motion is measured."""
    text: FrameModel | None = None
    """Measures the share of the picture under text; null turns this off."""
    nsfw: FrameModel | None = None
    """Estimates the probability that a picture is unsafe for work; null turns this off."""
    aesthetic: FrameModel | None = None
    """Rates pictures by an aesthetic head; null turns this off."""
    language: Language | None = Language()
    """Detects the language of title and hashtags; null turns this off."""
