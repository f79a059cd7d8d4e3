"""Tells which columns of a manifest row, also of users' own views, name media files: those called ..._path or ..._paths."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

FRAMES = "frame_paths"


def single_columns(names: Iterable[str]) -> list[str]:
    """Returns the columns with one file or null per clip: `video_path`, `audio_path`."""
    return [name for name in names if name.endswith("_path")]


def per_frame_columns(names: Iterable[str]) -> list[str]:
    """Returns the columns with one file for each frame: `frame_paths`, `depth_paths`, ..."""
    return [name for name in names if name.endswith("_paths")]


def paths_in(row: Mapping[str, object], column: str) -> list[str]:
    """Returns the names of the files that a column of a row names; none for null."""
    value = row[column]
    return [str(name) for name in value] if isinstance(value, list) else [str(value)] if value else []


def media_files(row: Mapping[str, object]) -> list[str]:
    """Returns the names of all files of a clip."""
    columns = (*single_columns(row), *per_frame_columns(row))
    return [name for column in columns for name in paths_in(row, column)]
