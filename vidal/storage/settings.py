"""How a dataset stores its media."""

from __future__ import annotations

from typing import Literal

from vidal.config.base import Settings


class MediaStorage(Settings):
    """How a dataset stores its media. A change affects media that are stored from then on, not those that are already stored."""

    media: Literal["files", "tar", "reference"] = "files"
    """`files`: one file for each picture, video and sound. `tar`: one archive for each part and kind of media; this suits many clips
    and object stores. `reference`: for a folder or bucket that --from names; its files stay where they are, rows name them, and all
    other media are stored as files."""
    keep_dropped: bool = True
    """Whether the media of dropped clips are kept. If not, and a looser filter lets such a clip pass later, `vidal retry` must fetch
    the media again."""
