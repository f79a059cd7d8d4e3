"""Tells which columns of a manifest row name media files. The names of the columns decide, so that views of other packages count."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

FRAMES = "frame_paths"


def single_columns(names: Iterable[str]) -> list[str]:
    """Returns the columns with one file or null per clip: `video_path`, `audio_path`."""
    return [name for name in names if name.endswith("_path")]


def per_frame_columns(names: Iterable[str]) -> list[str]:
    """Returns the columns with one file for each frame: `frame_paths`, `depth_paths`, ..."""
    return [name for name in names if name.endswith("_paths")]


def media_files(row: Mapping[str, Any]) -> list[str]:
    """Returns the names of all files of a clip."""
    single = [row[column] for column in single_columns(row) if row[column]]
    return [*single, *(name for column in per_frame_columns(row) for name in row[column] or ())]
