"""Which statistics of a clip are computed."""

from __future__ import annotations

from pydantic import Field

from vidal.config.base import ModelSpec, Settings


class Look(Settings):
    """A model that looks at stored frames. frames: how many, evenly spread over the clip; null is all."""

    model: ModelSpec
    frames: int | None = Field(default=None, ge=1)


class Language(Settings):
    """confidence_min: below it the language stays null. model.options.languages: the ISO 639-1 codes to choose from."""

    model: ModelSpec = ModelSpec(adapter="py3langid")
    confidence_min: float = Field(default=0.5, ge=0, le=1)


class Measure(Settings):
    """Which statistics of a clip are computed; vidal.scores says what they mean. Nothing is dropped here.

    pictures: brightness to frozen frames; motion_pairs: where in the video, at most, motion is looked at. null is off.
    """

    pictures: bool = True
    blur: bool = True
    motion: bool = True
    motion_pairs: int = Field(default=3, ge=1)
    text: Look | None = None
    nsfw: Look | None = None
    aesthetic: Look | None = None
    language: Language | None = Language()
