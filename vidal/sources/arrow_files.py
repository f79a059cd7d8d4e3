"""Reads Arrow files on a local disk, one record batch at a time. Both IPC formats are read: stream and file.

Files are mapped into memory, so that a cell is only read when it is used.
Each batch has a number by which it is found again: in a stream, its offset in bytes; in a file, its index.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

_FILE_START = b"ARROW1"


class ArrowFile:
    """An open Arrow file. Raises pa.ArrowException or OSError if it is not an Arrow file."""

    def __init__(self, mapped: pa.MemoryMappedFile):
        self._mapped = mapped
        self._reader = pa.ipc.open_file(mapped) if mapped.read(len(_FILE_START)) == _FILE_START else None
        if self._reader is None:
            mapped.seek(0)
            self.schema: pa.Schema = pa.ipc.read_schema(mapped)
            self._first = mapped.tell()
        else:
            self.schema = self._reader.schema

    def batches(self, columns: list[str]) -> Iterator[tuple[int, pa.RecordBatch]]:
        """Yields the number of each batch, and the batch with only these columns."""
        if self._reader is not None:
            for index in range(self._reader.num_record_batches):
                yield index, self.batch(index, columns)
            return
        at = self._first
        while (message := self._message(at)) is not None:
            after = self._mapped.tell()
            yield at, self._columns(pa.ipc.read_record_batch(message, self.schema), columns)
            at = after

    def batch(self, number: int, columns: list[str]) -> pa.RecordBatch:
        """Returns these columns of a batch. Their content is checked, because the file may come from anywhere.

        number: in a stream, the offset of the batch in bytes; in a file, its index. Raises pa.ArrowException or OSError if the batch is
        damaged.
        """
        if self._reader is not None:
            return self._columns(self._reader.get_batch(number), columns)
        message = self._message(number)
        if message is None:
            raise pa.ArrowInvalid(
                f"there is no record batch at byte {number}, perhaps because the file was changed after vidal had listed its rows: "
                "restore the file"
            )
        return self._columns(pa.ipc.read_record_batch(message, self.schema), columns)

    def _message(self, at: int) -> pa.ipc.Message | None:
        """Returns the message that begins at the byte `at`; None at the end of the stream.

        Raises pa.ArrowException or OSError if the message is damaged or is not a record batch.
        """
        self._mapped.seek(at)
        try:
            message = pa.ipc.read_message(self._mapped)
        except EOFError:
            return None
        if message.type != "record batch":
            raise pa.ArrowInvalid(
                f"the stream has a message of type {message.type}, but vidal reads only record batches: "
                "write the file without dictionary-encoded columns"
            )
        return message

    def _columns(self, batch: pa.RecordBatch, names: list[str]) -> pa.RecordBatch:
        selected = batch.select(names)
        selected.validate(full=True)
        return selected


@contextlib.contextmanager
def open_arrow(path: Path) -> Iterator[ArrowFile]:
    with pa.memory_map(str(path)) as mapped:
        yield ArrowFile(mapped)
