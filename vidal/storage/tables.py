"""Writes and reads tables as Parquet files. The same rows and metadata always give the same bytes."""

from __future__ import annotations

import io
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

# The last bytes of a table, which almost always contain its whole footer.
FOOTER = 2**16


def encoded(table: pa.Table, metadata: dict[str, str]) -> bytes:
    """Returns the table as a Parquet file, with the same bytes for the same rows and metadata."""
    buffer = io.BytesIO()
    pq.write_table(tagged(table, metadata), buffer, compression="zstd", store_schema=True)
    return buffer.getvalue()


def footer_length(tail: bytes) -> int:
    """Returns the size in bytes of a Parquet file's footer, including the last 8 bytes of the file.

    tail: the last bytes of the file, at least 8.
    """
    return int.from_bytes(tail[-8:-4], "little") + 8


def schema_of_footer(tail: bytes) -> pa.Schema:
    """Returns the schema of a file. tail: the last bytes of the file, which must include the whole footer."""
    return pq.read_schema(pa.BufferReader(b"PAR1" + tail[-footer_length(tail) :]))


def tagged(table: pa.Table, metadata: dict[str, str]) -> pa.Table:
    """Returns the table with `metadata` stored in its schema. The function table_metadata reads the metadata back."""
    return table.replace_schema_metadata({f"vidal.{key}": value for key, value in sorted(metadata.items())})


def table_metadata(columns: pa.Schema) -> dict[str, str]:
    """Returns the metadata that vidal stored in a table, without the prefix "vidal." of the keys. columns: the table's schema."""
    pairs = ((key.decode(), value.decode()) for key, value in (columns.metadata or {}).items())
    return {key.removeprefix("vidal."): value for key, value in pairs if key.startswith("vidal.")}


def read_parquet(source: Any, columns: list[str] | None = None) -> pa.Table:
    """Reads a Parquet file without starting threads. source: a path or a buffer."""
    # Not pq.read_table: it starts Arrow's thread pools even with use_threads=False. If they are still stopping when the process ends,
    # the process may abort.
    with pq.ParquetFile(source, pre_buffer=False) as file:
        return file.read(columns=columns, use_threads=False)
