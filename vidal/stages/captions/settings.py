"""The captioners and their prompts."""

from __future__ import annotations

from vidal.config.base import ModelSpec, Settings


class Captions(Settings):
    """The models that write captions, and their prompts. A prompt file is a path, or a name in `pipelines/prompts`."""

    keyframe: ModelSpec | None = None
    """Model that writes a caption for each stored frame."""
    video: ModelSpec | None = None
    """Model that writes a caption for the whole clip."""
    sound: ModelSpec | None = None
    """Model that describes the sound. The adapter `heard` writes that speech is heard, if the sound track has the tag `speech`. The
    adapter `transformers` guesses the sound from the pictures."""
    prompt_keyframe: str = "keyframe.txt"
    """Prompt file for the view `keyframe`."""
    prompt_video: str = "video.txt"
    """Prompt file for the view `video`."""
    prompt_sound: str = "sound.txt"
    """Prompt file for the view `sound`."""
