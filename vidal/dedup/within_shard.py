"""Copies within a shard: the same bytes, nearly the same film or recording, or the same in meaning. The earliest candidate is kept."""

from __future__ import annotations

from dataclasses import dataclass

from vidal.dedup import matchers
from vidal.dedup.settings import Duplicates
from vidal.pipeline.stage import Record
from vidal.schema import Reason


@dataclass(frozen=True)
class Copy:
    of: str
    reason: Reason
    detail: str


def find(rows: list[Record], settings: Duplicates) -> dict[str, Copy]:
    """rows: of schema.ASSEMBLED, in the order of the candidates. Returns the copies by clip_id."""
    copies: dict[str, Copy] = {}
    by_hash: dict[tuple, str] = {}
    measures = matchers.measures(settings)
    for row in rows:
        clip_id = row["clip_id"]
        source = (row["source_sha256"], row["start_s"], row["duration_s"])
        if settings.exact and source in by_hash:
            copies[clip_id] = Copy(by_hash[source], Reason.DUPLICATE_EXACT, f"the same bytes as clip {by_hash[source]}")
            continue
        by_hash[source] = clip_id
        if copy := _nearest(row, measures):
            copies[clip_id] = copy
            continue
        for measure in measures:
            measure.add(clip_id, row)
    return copies


def _nearest(row: Record, measures: list[matchers.Near]) -> Copy | None:
    for measure in measures:
        if found := measure.match(row):
            return Copy(found[0], measure.reason, f"{found[1]} clip {found[0]}")
    return None
