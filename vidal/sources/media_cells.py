"""Tells which column of a table holds media, and what a cell of it holds: bytes, a path, or {bytes, path}."""

from __future__ import annotations

import pyarrow as pa

from vidal.errors import UserError

_PATHS = ("video", "audio", "media", "path", "file", "file_name", "video_path", "audio_path")


def media_column(schema: pa.Schema, name: str | None) -> str:
    """Returns the name of the column that holds media.

    If the recipe names a column, `name` is this column. If `name` is None, the first column with bytes is chosen. If no column has bytes,
    a text column with a usual name, such as "video", is chosen.

    Raises UserError if the column `name` does not exist, or if no column can be chosen.
    """
    names = ", ".join(schema.names)
    if name is not None:
        if name not in schema.names:
            raise UserError(f"collection.media names {name!r}, but the columns are {names}")
        return name
    columns = [field.name for field in schema if holds_bytes(field.type)]
    columns += [path for path in _PATHS if path in schema.names and _is_text(schema.field(path).type)]
    if not columns:
        raise UserError(
            f"no column of media was recognised: name it with --set collection.media=COLUMN; the columns are {names}"
        )
    return str(columns[0])


def holds_bytes(type_: pa.DataType) -> bool:
    """Returns whether the cells of a column are bytes, or {bytes, path}, the form in which Hugging Face datasets store media."""
    is_struct = pa.types.is_struct(type_) and {"bytes", "path"} == {field.name for field in type_}
    return is_struct or pa.types.is_binary(type_) or pa.types.is_large_binary(type_)


def media_value(cell: pa.Scalar) -> tuple[memoryview | None, str]:
    """Returns (bytes, path) of a cell, in which missing bytes are None and a missing path is ""."""
    if not cell.is_valid:
        return None, ""
    if pa.types.is_struct(cell.type):
        content, path = cell["bytes"], cell["path"]
        return (memoryview(content.as_buffer()) if content.is_valid else None), str(path.as_py() or "")
    if holds_bytes(cell.type):
        return memoryview(cell.as_buffer()), ""
    return None, str(cell.as_py())


def _is_text(type_: pa.DataType) -> bool:
    return bool(pa.types.is_string(type_) or pa.types.is_large_string(type_))
