"""The captioners and their prompts."""

from __future__ import annotations

from vidal.config.base import ModelSpec, Settings


class Captions(Settings):
    """Captions by models: one for each frame, one for the clip, and one for its sound."""

    keyframe: ModelSpec | None = None
    """The model that writes a caption for each stored frame; null leaves this view out."""
    video: ModelSpec | None = None
    """The model that writes a caption for the whole clip; null leaves this view out."""
    sound: ModelSpec | None = None
    """The model that describes the sound; null leaves this view out. The adapter heard says that speech is heard, if the sound track
    has the tag speech. The adapter transformers guesses the sound from the pictures."""
    prompt_keyframe: str = "keyframe.txt"
    """The prompt for the view keyframe: the name of a file in pipelines/prompts, or a path."""
    prompt_video: str = "video.txt"
    """The prompt for the view video: the name of a file in pipelines/prompts, or a path."""
    prompt_sound: str = "sound.txt"
    """The prompt for the view sound: the name of a file in pipelines/prompts, or a path."""
