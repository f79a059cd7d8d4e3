"""Groups records into batches for stages whose models work on several records at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

RecordT = TypeVar("RecordT")


def batches(records: list[RecordT], size: Callable[[RecordT], int], limit: int) -> list[list[RecordT]]:
    """Groups consecutive records into batches whose sizes add up to at most `limit`. A larger record is a batch of its own.

    size: returns the size of one record.
    """
    groups: list[list[RecordT]] = []
    room = 0
    for record in records:
        if not groups or size(record) > room:
            groups.append([])
            room = limit
        groups[-1].append(record)
        room -= size(record)
    return groups
