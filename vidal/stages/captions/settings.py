"""The captioners and their prompts."""

from __future__ import annotations

from vidal.config.base import ModelSpec, Settings


class Captions(Settings):
    """A caption for each frame, one for the clip, and one for its sound."""

    keyframe: ModelSpec | None = None
    """Captions each frame; null gives no such view."""
    video: ModelSpec | None = None
    """Captions the clip; null gives no such view."""
    sound: ModelSpec | None = None
    """Captions the sound: heard describes what was detected, a captioner imagines it from the pictures; null gives no such view."""
    prompt_keyframe: str = "keyframe.txt"
    """A file of pipelines/prompts, or a path."""
    prompt_video: str = "video.txt"
    """A file of pipelines/prompts, or a path."""
    prompt_sound: str = "sound.txt"
    """A file of pipelines/prompts, or a path."""
