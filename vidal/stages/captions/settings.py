"""The captioners and their prompts."""

from __future__ import annotations

from vidal.config.base import ModelSpec, Settings


class Captions(Settings):
    """Which models write the captions: one caption for each frame, one for the clip, and one for its sound."""

    keyframe: ModelSpec | None = None
    """The model that captions each frame; null leaves this view out."""
    video: ModelSpec | None = None
    """The model that captions the clip; null leaves this view out."""
    sound: ModelSpec | None = None
    """The model of the view `sound`: the adapter `heard` describes the tags of the sound, a captioner guesses the sound from the
    pictures, and null leaves this view out."""
    prompt_keyframe: str = "keyframe.txt"
    """The prompt: a file of pipelines/prompts, or a path."""
    prompt_video: str = "video.txt"
    """The prompt: a file of pipelines/prompts, or a path."""
    prompt_sound: str = "sound.txt"
    """The prompt: a file of pipelines/prompts, or a path."""
