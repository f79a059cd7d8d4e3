"""What is computed from the sound track."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from vidal.config.base import ModelSpec, Settings


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
    tag_share_min: float = Field(default=0.35, gt=0, le=1)  # Of speech: measured by benchmarks/speech_threshold.py.
    clipping_share_max: float = Field(default=0.001, ge=0, le=1)
