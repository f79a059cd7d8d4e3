"""The captioners and their prompts."""

from __future__ import annotations

from vidal.config.base import ModelSpec, Settings


class Captions(Settings):
    """A caption for each frame, one for the video, and one for its sound: heard (adapter heard), or imagined by a captioner."""

    keyframe: ModelSpec | None = None
    video: ModelSpec | None = None
    sound: ModelSpec | None = None
    prompt_keyframe: str = "keyframe.txt"
    prompt_video: str = "video.txt"
    prompt_sound: str = "sound.txt"
