"""Copies within a shard: the same bytes, or nearly the same film. The earliest candidate is kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vidal.config import Duplicates
from vidal.media.hashing import STILL, STILL_DISTANCE, Signature, hash_distances, motion_correlation
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
    kept = Films()
    for row in rows:
        clip_id = row["clip_id"]
        source = (row["source_sha256"], row["start_s"], row["duration_s"])
        if settings.exact and source in by_hash:
            copies[clip_id] = Copy(by_hash[source], Reason.DUPLICATE_EXACT, f"the same bytes as clip {by_hash[source]}")
            continue
        by_hash[source] = clip_id
        if not (settings.near and row["signature"]):
            continue
        own = Signature.from_bytes(row["signature"])
        if found := kept.nearest(own, settings):
            copies[clip_id] = Copy(found[0], Reason.DUPLICATE_NEAR, f"{found[1]} clip {found[0]}")
            continue
        kept.add(clip_id, own)
    return copies


class Films:
    """Signatures of clips, by their number of frames: others cannot be compared."""

    def __init__(self) -> None:
        self._ids: dict[int, list[str]] = {}
        self._signatures: dict[int, list[Signature]] = {}
        self._hashes: dict[int, np.ndarray] = {}

    def add(self, clip_id: str, signature: Signature) -> None:
        count = len(signature.thumbs)
        self._ids.setdefault(count, []).append(clip_id)
        self._signatures.setdefault(count, []).append(signature)
        known, used = self._hashes.get(count), len(self._ids[count])
        if known is None or used > len(known):  # Doubled as it grows.
            grown = np.zeros((max(64, 2 * used), *signature.hashes.shape), np.uint64)
            if known is not None:
                grown[: len(known)] = known
            self._hashes[count] = known = grown
        known[used - 1] = signature.hashes

    def nearest(self, own: Signature, settings: Duplicates) -> tuple[str, str] | None:
        """The clip that it is a copy of, and in which way; None where it is none."""
        count = len(own.thumbs)
        names = self._ids.get(count)
        if not names:
            return None
        distances = hash_distances(own.hashes, self._hashes[count][: len(names)])
        for index in np.argsort(distances, kind="stable"):
            if distances[index] > settings.max_distance:
                return None
            alike, moved = motion_correlation(own, self._signatures[count][index])
            told = f"{distances[index]:.1f} of 64 bits from, motion {alike:.2f} like"
            if alike >= settings.motion_min or (moved < STILL and distances[index] <= STILL_DISTANCE):
                return names[index], told
        return None
