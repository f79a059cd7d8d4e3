"""How a dataset stores its media."""

from __future__ import annotations

from typing import Literal

from vidal.config.base import Settings


class MediaStorage(Settings):
    """How a dataset stores its media. A change affects media that are stored from then on, not those that are already stored."""

    media: Literal["files", "tar", "reference"] = "files"
    """files: one file each, easy to look at; tar: one archive per part and kind, for many clips and for object stores; reference: the
    files of `--from FOLDER_OR_BUCKET` stay where they are and rows name them, and all else is stored as files."""
    keep_dropped: bool = True
    """Whether the media of dropped clips are kept. If not, `vidal retry` must fetch them again if a looser filter lets clips pass."""
