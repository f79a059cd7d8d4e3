"""What is made of a clip: depth, infrared, sound, captions, rewrites."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from vidal.config.base import ModelSpec, Settings


class Depth(Settings):
    """Without a model the view is absent and the ledger says no_estimator.

    mode: own, or paper, which is what VIDAL-10M's script does with GLPN: pictures forced to 448 x 796 whatever their
    aspect, stored at short side 256, cut at 10 m, millimetres rounded down. short_side: of the stored pictures, which are
    never larger than the frames; null takes the mode's, which is the frames' own. max_m: metric depth beyond it is cut and
    counted; null takes the mode's, which is all that 16 bits of millimetres hold.
    """

    model: ModelSpec | None = None
    mode: Literal["own", "paper"] = "own"
    short_side: int | None = Field(default=None, ge=16)
    max_m: float | None = Field(default=None, gt=0, le=65.535)

    @model_validator(mode="after")
    def _paper(self) -> Depth:
        return _only_with(self, "transformers")


class Infrared(Settings):
    """Without a model the view is absent and the ledger says no_estimator.

    mode: own (one style and one range of intensities for a clip), or paper, which is what VIDAL-10M's script does with
    sRGB-TIR: pictures forced to 640 x 400, a new random style and a range of its own for every frame. short_side: of the
    stored pictures, which are never larger than the frames; null takes the frames' own, in mode paper 256. quality: of jpg.
    """

    model: ModelSpec | None = None
    mode: Literal["own", "paper"] = "own"
    short_side: int | None = Field(default=None, ge=16)
    format: Literal["jpg", "png"] = "jpg"
    quality: int = Field(default=95, ge=1, le=100)

    @model_validator(mode="after")
    def _paper(self) -> Infrared:
        return _only_with(self, "munit")


def _only_with(settings: Any, adapter: str) -> Any:
    if settings.mode == "paper" and settings.model and settings.model.adapter != adapter:
        raise ValueError(f"mode paper is for the adapter {adapter}, not {settings.model.adapter}")
    return settings


class Audio(Settings):
    """The sound track. silence_db: RMS level in dBFS under which a block, or the whole, is silence.

    loudness: LUFS by BS.1770. activity: speech, singing, music. activity_tags: those of them that become a tag where their share of
    the time is tag_share_min or more; singing and music are one model's opinion, and often wrong. speech: what is said.
    similarity: sound against title and hashtags, and the sound's vector. A model that is null is not asked.
    """

    sample_rate: int = Field(default=16_000, ge=4_000)
    silence_db: float = -60.0
    loudness: bool = True
    activity: ModelSpec | None = None
    speech: ModelSpec | None = None
    similarity: ModelSpec | None = None
    activity_tags: tuple[Literal["speech", "singing", "music"], ...] = ("speech",)
    tag_share_min: float = Field(default=0.35, gt=0, le=1)  # Of speech: measured by tests/speech_threshold.py.
    clipping_share_max: float = Field(default=0.001, ge=0, le=1)


class Captions(Settings):
    """A caption for each frame, one for the video, and one for its sound: heard (adapter heard), or imagined by a captioner."""

    keyframe: ModelSpec | None = None
    video: ModelSpec | None = None
    sound: ModelSpec | None = None
    prompt_keyframe: str = "keyframe.txt"
    prompt_video: str = "video.txt"
    prompt_sound: str = "sound.txt"


class Enhanced(Settings):
    """The rewriter, and the guard that holds its words against the other views.

    A word is supported by a view's lemma, by a synonym (words whose vectors have the cosine synonym_min; null knows none), or by
    the pictures (seen_min: cosine of the word and the clip in the similarity model's space; null does not look).
    concurrency: requests at a time, for an adapter that asks a server.
    """

    model: ModelSpec | None = None
    prompt: str = "enhance.yaml"
    guard_tagger: str = "en_core_web_sm"
    reject_unsupported: bool = True
    synonym_min: float | None = Field(default=0.78, gt=0, le=1)
    seen_min: float | None = Field(default=None, ge=-1, le=1)
    concurrency: int = Field(default=1, ge=1)
