"""Groups records into batches for stages whose models work on several records at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

RecordT = TypeVar("RecordT")


def batches(records: list[RecordT], size: Callable[[RecordT], int], limit: int) -> list[list[RecordT]]:
    """Groups consecutive records so that their sizes add up to at most the limit. A record above the limit is a batch of its own."""
    groups: list[list[RecordT]] = []
    room = 0
    for record in records:
        if not groups or size(record) > room:
            groups.append([])
            room = limit
        groups[-1].append(record)
        room -= size(record)
    return groups
