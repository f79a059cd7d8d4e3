"""What is measured of a clip, and what a filter decides by."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field, model_validator

from vidal.config.base import ModelSpec, Settings
from vidal.scores import is_score


class Keyframes(Settings):
    """times: linspace (first to last), paper (i * (n // count)) or scene (middles of equal parts of each shot).

    quality: of jpg and webp.
    """

    count: int = Field(default=8, ge=1)
    times: Literal["linspace", "paper", "scene"] = "linspace"
    short_side: int = Field(default=256, ge=16)
    format: Literal["jpg", "png", "webp"] = "jpg"
    quality: int = Field(default=92, ge=1, le=100)


class Similarity(Settings):
    model: ModelSpec


class Filters(Settings):
    """Which clips stay, by their scores. `<score>_min` and `<score>_max` bound any score of the manifest, both included.

    similarity_min: of frames and raw text; a sound passes it. A clip without the score passes. languages: ISO 639-1 codes of the
    raw text; empty admits all, and a text whose language is not known passes.
    """

    model_config = ConfigDict(frozen=True, extra="allow", protected_namespaces=())

    similarity_min: float | None = Field(default=None, ge=-1, le=1)
    languages: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _bounds(self) -> Filters:
        for name, value in (self.model_extra or {}).items():
            if not (name.endswith(("_min", "_max")) and is_score(name[:-4])):
                raise ValueError(f"{name}: must be the name of a score (vidal/scores.py) with _min or _max behind it")
            if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float))):
                raise ValueError(f"{name}: must be a number, not {value!r}")
        return self

    def bounds(self) -> dict[str, float]:
        """The thresholds that are set, by their names."""
        named = {"similarity_min": self.similarity_min, **(self.model_extra or {})}
        return {name: float(value) for name, value in named.items() if value is not None}


class Look(Settings):
    """A model that looks at stored frames. frames: how many, evenly spread over the clip; null is all."""

    model: ModelSpec
    frames: int | None = Field(default=None, ge=1)


class Language(Settings):
    """confidence_min: below it the language stays null. model.options.languages: the ISO 639-1 codes to choose from."""

    model: ModelSpec = ModelSpec(adapter="py3langid")
    confidence_min: float = Field(default=0.5, ge=0, le=1)


class Measure(Settings):
    """Which statistics of a clip are taken; vidal.scores says what they mean. Nothing is dropped here.

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


class Duplicates(Settings):
    """Copies of films and of sounds. A film: max_distance bits of 64 between its frames, in the median, at most; motion_min: how
    alike they must move, 0..1. A sound: audio_max_difference is the share of the bits of its fingerprint, at most.

    semantic: clips whose vectors (of the similarity and the sound model) have at least this cosine are copies; null is off.
    """

    exact: bool = True
    near: bool = True
    max_distance: float = Field(default=20.0, ge=0)
    motion_min: float = Field(default=0.65, ge=-1, le=1)
    audio_max_difference: float = Field(default=0.12, ge=0, le=1)
    semantic: float | None = Field(default=None, gt=0, le=1)


class EvaluationSet(Settings):
    """Clips that a model will be judged by: those of a shard that are among them are marked in `contaminates`, never dropped.

    ids: a file with a source id, platform:id, URL or sha256 in a line, or a csv and its column. signatures: what `vidal signatures` wrote
    of the set's media; copies are told as by `duplicates`. semantic: the cosine from which a clip is taken for one of the set.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9._-]+$")
    ids: str | None = None
    column: str | None = None
    signatures: str | None = None
    semantic: float | None = Field(default=None, gt=0, le=1)

    @model_validator(mode="after")
    def _something(self) -> EvaluationSet:
        if self.ids is None and self.signatures is None:
            raise ValueError("give ids, signatures or both")
        if self.semantic is not None and self.signatures is None:
            raise ValueError("semantic needs signatures")
        return self
