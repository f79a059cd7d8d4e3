"""Finds the columns of a manifest row that name media files: those ending in _path or _paths, including columns of plugins' views."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

FRAMES = "frame_paths"


def single_columns(names: Iterable[str]) -> list[str]:
    """Returns the names of columns with one file or null per clip, such as `video_path` and `audio_path`."""
    return [name for name in names if name.endswith("_path")]


def per_frame_columns(names: Iterable[str]) -> list[str]:
    """Returns the names of columns with one file for each frame, such as `frame_paths` and `depth_paths`."""
    return [name for name in names if name.endswith("_paths")]


def paths_in(row: Mapping[str, object], column: str) -> list[str]:
    """Returns the paths in one column of a row, as a list; an empty list for null."""
    value = row[column]
    return [str(name) for name in value] if isinstance(value, list) else [str(value)] if value else []


def media_files(row: Mapping[str, object]) -> list[str]:
    """Returns the paths of all media files of a clip. row: its row in the manifest."""
    columns = (*single_columns(row), *per_frame_columns(row))
    return [name for column in columns for name in paths_in(row, column)]
