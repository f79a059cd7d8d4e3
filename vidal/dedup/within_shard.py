"""Finds copies within a shard: the same bytes, nearly the same video or recording, or the same meaning. The earliest is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vidal.dedup import matchers
from vidal.dedup.settings import Duplicates
from vidal.records import IndexedClip
from vidal.schema import Reason


@dataclass(frozen=True)
class Copy:
    """A clip that repeats another one. of: the clip that is kept. detail: how they are alike, with the name of that clip."""

    of: str
    reason: Reason
    detail: str


def find_copies(rows: Sequence[IndexedClip], settings: Duplicates) -> dict[str, Copy]:
    """Finds the clips that are copies of an earlier one. rows: in the order of the candidates, with the columns of
    across_shards.SCHEMA. Returns the copies by clip_id.
    """
    copies: dict[str, Copy] = {}
    by_hash: dict[tuple[str, float, float], str] = {}
    enabled = matchers.matchers_of(settings)
    for row in rows:
        clip_id = row["clip_id"]
        source = (row["source_sha256"], row["start_s"], row["duration_s"])
        if settings.exact and source in by_hash:
            copies[clip_id] = Copy(by_hash[source], Reason.DUPLICATE_EXACT, f"the same bytes as clip {by_hash[source]}")
            continue
        by_hash[source] = clip_id
        if copy := _nearest(row, enabled):
            copies[clip_id] = copy
            continue
        for matcher in enabled:
            matcher.add(clip_id, row)
    return copies


def _nearest(row: IndexedClip, enabled: list[matchers.Matcher]) -> Copy | None:
    for matcher in enabled:
        if match := matcher.match(row):
            original, way = match
            return Copy(original, matcher.reason, f"{way} clip {original}")
    return None
