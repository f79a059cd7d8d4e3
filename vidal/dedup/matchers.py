"""Finds the earlier clip that is nearest to a clip, by pictures, by sound or by embedding."""

from __future__ import annotations

from typing import Literal, Protocol

import numpy as np

from vidal.dedup.settings import Duplicates
from vidal.media.fingerprint import Recordings
from vidal.media.hashing import STILL, STILL_DISTANCE, Signature, hash_distances, motion_correlation
from vidal.records import SignedRow
from vidal.schema import Kind, Reason

Match = tuple[str, str]  # The name of the clip that is repeated, and in which way it is repeated.


class Matcher(Protocol):
    """Compares rows with those added before. A row that lacks the compared column matches none."""

    reason: Reason

    def add(self, name: str, row: SignedRow) -> None: ...

    def match(self, row: SignedRow) -> Match | None: ...


def matchers_of(settings: Duplicates) -> list[Matcher]:
    """Returns the matchers that the recipe asks for, still without rows."""
    near: list[Matcher] = [VideoMatcher(settings), AudioMatcher(settings)] if settings.near else []
    semantic = settings.semantic
    return near if semantic is None else [*near, *(EmbeddingMatcher(column, semantic) for column in VECTORS)]


Column = Literal["embedding", "audio_embedding"]
VECTORS: tuple[Column, ...] = ("embedding", "audio_embedding")


class GrowableArray:
    """An array of rows that doubles its capacity when it is full."""

    def __init__(self) -> None:
        self._held: np.ndarray | None = None
        self._used = 0

    def append(self, row: np.ndarray) -> None:
        if self._held is None or self._used == len(self._held):
            grown = np.zeros((max(64, 2 * self._used), *row.shape), row.dtype)
            if self._held is not None:
                grown[: self._used] = self._held
            self._held = grown
        self._held[self._used] = row
        self._used += 1

    def rows(self) -> np.ndarray:
        assert self._held is not None, "nothing was appended"
        return self._held[: self._used]


class VideoMatcher:
    """Compares clips by the signatures of their frames. Only clips with the same number of frames are compared."""

    reason = Reason.DUPLICATE_NEAR

    def __init__(self, settings: Duplicates) -> None:
        self._settings = settings
        self._names: dict[int, list[str]] = {}
        self._signatures: dict[int, list[Signature]] = {}
        self._hashes: dict[int, GrowableArray] = {}

    def add(self, name: str, row: SignedRow) -> None:
        if row["signature"]:
            own = Signature.from_bytes(row["signature"])
            count = len(own.thumbs)
            self._names.setdefault(count, []).append(name)
            self._signatures.setdefault(count, []).append(own)
            self._hashes.setdefault(count, GrowableArray()).append(own.hashes)

    def match(self, row: SignedRow) -> Match | None:
        own = Signature.from_bytes(row["signature"]) if row["signature"] else None
        if own is None or len(own.thumbs) not in self._names:
            return None
        count = len(own.thumbs)
        distances = hash_distances(own.hashes, self._hashes[count].rows())
        for index in np.argsort(distances, kind="stable"):
            if distances[index] > self._settings.max_distance:
                return None
            alike, moved = motion_correlation(own, self._signatures[count][index])
            way = f"{distances[index]:.1f} of 64 bits from, motion {alike:.2f} like"
            if alike >= self._settings.motion_min or (moved < STILL and distances[index] <= STILL_DISTANCE):
                return self._names[count][index], way
        return None


class AudioMatcher:
    """Compares sounds by their fingerprints. Videos are only compared by their pictures, because many share one tune."""

    reason = Reason.DUPLICATE_NEAR

    def __init__(self, settings: Duplicates) -> None:
        self._limit = settings.audio_max_difference
        self._names: list[str] = []
        self._recordings = Recordings()

    def add(self, name: str, row: SignedRow) -> None:
        if (own := _fingerprint(row)) is not None:
            self._names.append(name)
            self._recordings.add(own)

    def match(self, row: SignedRow) -> Match | None:
        own = _fingerprint(row)
        nearest = None if own is None else self._recordings.nearest(own)
        if nearest is None or nearest[1] > self._limit:
            return None
        return self._names[nearest[0]], f"{nearest[1]:.1%} of the bits of the sound's fingerprint from"


def _fingerprint(row: SignedRow) -> np.ndarray | None:
    fingerprint = row["audio_fingerprint"] if row["kind"] == Kind.AUDIO.value else None
    return np.frombuffer(fingerprint, "<u4") if fingerprint else None


class EmbeddingMatcher:
    """Compares clips by their embeddings. Vectors of different lengths are not compared."""

    reason = Reason.DUPLICATE_SEMANTIC

    def __init__(self, column: Column, cosine_min: float) -> None:
        self._column, self._cosine_min = column, cosine_min
        self._names: dict[int, list[str]] = {}
        self._vectors: dict[int, GrowableArray] = {}

    def add(self, name: str, row: SignedRow) -> None:
        if row[self._column]:
            vector = np.array(row[self._column], np.float32)
            self._names.setdefault(len(vector), []).append(name)
            self._vectors.setdefault(len(vector), GrowableArray()).append(vector)

    def match(self, row: SignedRow) -> Match | None:
        vector = np.array(row[self._column] or [], np.float32)
        if not len(vector) or len(vector) not in self._names:
            return None
        cosines = self._vectors[len(vector)].rows() @ vector
        best = int(np.argmax(cosines))
        if cosines[best] < self._cosine_min:
            return None
        return self._names[len(vector)][best], f"cosine {cosines[best]:.3f} to"
