"""How a dataset stores its media."""

from __future__ import annotations

from typing import Literal

from vidal.config.base import Settings


class MediaStorage(Settings):
    """How media are stored. A changed setting applies only to media that are stored later."""

    media: Literal["files", "tar", "reference"] = "files"
    """`files` stores each picture, video and sound as a file. `tar` stores one archive for each part and kind of media, which suits
    many clips and object stores. `reference` leaves the files that `--from` names in their folder or bucket, and stores all
    other media as files."""
    keep_dropped: bool = True
    """Whether the media of dropped clips are kept. If false, and a looser filter later lets the clips pass, `vidal retry` can
    fetch them again."""
