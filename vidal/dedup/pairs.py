"""Pairs of clips that are alike, and how they are alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Literal

import numpy as np
import pyarrow as pa

from vidal.dedup.joins import Places
from vidal.media.arrays import Float64Array
from vidal.schema import STR, Reason

Way = Literal["pictures", "sound", "embedding", "audio_embedding"]
# If a clip repeats others in two ways, the one that comes first here counts.
WAYS: tuple[Way, ...] = ("pictures", "sound", "embedding", "audio_embedding")
SCHEMA = pa.schema(
    [("later", pa.int64()), ("earlier", pa.int64()), ("way", STR), ("distance", pa.float64()), ("motion", pa.float64())]
)


@dataclass(frozen=True)
class Pairs:
    """m pairs of clips that are alike. The later clip of a pair is the copy.

    later, earlier: (m,) int64, the indices of the two clips. way: (m,) indices into WAYS: what is alike.
    distance: (m,) float64. For pictures, how many of the 64 bits of a frame's hash differ (the median over the frames). For sounds, the
    share of the bits of the fingerprints that differ. For embeddings, 1 minus the cosine.
    motion: (m,) float64. For pictures, the correlation of the motion, -1..1; otherwise NaN.
    """

    later: Places
    earlier: Places
    way: Places
    distance: Float64Array
    motion: Float64Array

    @classmethod
    def of(
        cls, way: Way, later: Places, earlier: Places, distance: Float64Array, motion: Float64Array | None = None
    ) -> Pairs:
        absent = np.full(len(later), np.nan)
        return cls(later, earlier, np.full(len(later), WAYS.index(way)), distance, absent if motion is None else motion)

    @classmethod
    def none(cls) -> Pairs:
        return cls.of("pictures", *(np.zeros(0, np.int64),) * 2, np.zeros(0))

    @classmethod
    def joined(cls, parts: Sequence[Pairs]) -> Pairs:
        """Returns the pairs of all parts, sorted by later clip, then by the field `way`, then by distance, then by earlier clip."""
        parts = [cls.none(), *parts]
        whole = cls(*(np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(cls)))
        return whole.at(np.lexsort((whole.earlier, whole.distance, whole.way, whole.later)))

    def at(self, places: np.ndarray) -> Pairs:
        """Returns some of the pairs. places: a mask, (m,) bool, or the indices of the pairs."""
        return Pairs(*(getattr(self, each.name)[places] for each in fields(self)))

    def __len__(self) -> int:
        return len(self.later)

    def reason(self, place: int) -> Reason:
        is_near = WAYS[self.way[place]] in ("pictures", "sound")
        return Reason.DUPLICATE_NEAR if is_near else Reason.DUPLICATE_SEMANTIC

    def how(self, place: int) -> str:
        """Returns how the clips of a pair are alike, as words to put before the earlier clip's name, such as "has cosine 0.970 with".

        place: the index of the pair.
        """
        way, distance = WAYS[self.way[place]], self.distance[place]
        if way == "pictures":
            return f"differs in {distance:.1f} of 64 bits, at a motion correlation of {self.motion[place]:.2f}, from"
        if way == "sound":
            return f"differs in {distance:.1%} of the bits of the sound's fingerprint from"
        return f"has cosine {1 - distance:.3f} with"

    def to_table(self) -> pa.Table:
        names = pa.array([WAYS[way] for way in self.way], STR)
        return pa.Table.from_arrays([self.later, self.earlier, names, self.distance, self.motion], schema=SCHEMA)

    @classmethod
    def from_table(cls, table: pa.Table) -> Pairs:
        ways = np.array([WAYS.index(way) for way in table["way"].to_pylist()], np.int64)
        later, earlier, distance, motion = (
            table[name].to_numpy() for name in ("later", "earlier", "distance", "motion")
        )
        return cls(later, earlier, ways, distance, motion)
