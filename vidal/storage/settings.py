"""How a dataset stores its media."""

from __future__ import annotations

from typing import Literal

from vidal.config.base import Settings


class MediaStorage(Settings):
    """How a dataset stores its media. Changing it alters what is stored from then on, not what is stored already."""

    media: Literal["files", "tar"] = "files"
    """files: one file each, easy to look at; tar: one archive a part and kind, for many clips and for object stores."""
