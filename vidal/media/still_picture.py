"""Says what a refused file is: a still picture, an animated picture, or not media.

A file is refused if it is not in a video or sound format that vidal reads.
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from vidal.errors import RecordError
from vidal.schema import Reason


def refusal_of_format(path: Path) -> RecordError:
    """Returns the error for a file whose format FFmpeg is not allowed to open: still_picture, animated_picture, or not_media."""
    try:
        with Image.open(path) as image:
            name, count = image.format, getattr(image, "n_frames", 1)
    except Exception:  # noqa: BLE001 - on untrusted bytes, Pillow's readers raise whatever their parsing runs into.
        return RecordError(Reason.NOT_MEDIA, "the file is not in a video or sound format that vidal reads")
    if count > 1:
        return RecordError(
            Reason.ANIMATED_PICTURE, f"the file is an animated picture ({name}, {count} pictures), not a video"
        )
    return RecordError(Reason.STILL_PICTURE, f"the file is a still picture ({name}), not a video")
