"""Copies within a shard: the same bytes, or nearly the same pictures. The earliest candidate is kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vidal.config import Duplicates
from vidal.media.hashing import bits, distance
from vidal.schema import Reason
from vidal.stage import Record


@dataclass(frozen=True)
class Copy:
    of: str
    reason: Reason
    detail: str


def find(rows: list[Record], settings: Duplicates) -> dict[str, Copy]:
    """rows: of schema.ASSEMBLED, in the order of the candidates. Returns the copies by clip_id."""
    copies: dict[str, Copy] = {}
    by_hash: dict[tuple, str] = {}
    kept: list[tuple[str, np.ndarray]] = []
    for row in rows:
        clip_id = row["clip_id"]
        source = (row["source_sha256"], row["start_s"], row["duration_s"])
        if settings.exact and source in by_hash:
            copies[clip_id] = Copy(by_hash[source], Reason.DUPLICATE_EXACT, f"the same bytes as clip {by_hash[source]}")
            continue
        by_hash[source] = clip_id
        if not (settings.near and row["phash"]):
            continue
        own = bits(row["phash"])
        nearest = min(((distance(own, other), other_id) for other_id, other in kept), default=(float("inf"), ""))
        if nearest[0] <= settings.max_distance:
            detail = f"{nearest[0]:.2f} of 64 bits a frame from clip {nearest[1]}"
            copies[clip_id] = Copy(nearest[1], Reason.DUPLICATE_NEAR, detail)
            continue
        kept.append((clip_id, own))
    return copies
