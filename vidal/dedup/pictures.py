"""Compares the signatures of frames to find videos that are nearly the same. Only clips with the same number of frames are compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from vidal.dedup.bit_sampling import Hashes, candidate_pairs
from vidal.dedup.joins import Places
from vidal.dedup.pairs import Pairs
from vidal.dedup.settings import Duplicates
from vidal.media.arrays import Float64Array, UInt8Array
from vidal.media.hashing import STILL, STILL_DISTANCE, hash_distances, motion_correlation

# Pairs that are compared at a time: by their hashes; by thumbnails that are read together (100 MB); by their motion.
_HASHED, _READ, _MOVING = 2_000, 25_000, 2_000
_NONE = np.zeros(0, np.int64)


@dataclass(frozen=True)
class Pictures:
    """n clips that have f frames each.

    numbers: (n,) int64, a number that identifies each clip. An earlier clip has a lower number.
    thumbs: a function that takes m indices into `numbers`, and returns the thumbnails of these clips, (m, f, 256) uint8.
    """

    numbers: Places
    hashes: Hashes
    thumbs: Callable[[Places], UInt8Array]


def near_pictures(own: Pictures, other: Pictures | None, settings: Duplicates, *, indexed: bool) -> Pairs:
    """Returns the pairs of clips that are nearly the same video.

    other: None compares `own` with itself. indexed: False compares all pairs. True compares only the pairs that vidal.dedup.bit_sampling
    proposes; a few copies may be missed.
    """
    known = own if other is None else other
    search = candidate_pairs(own.hashes, None if other is None else other.hashes) if indexed else _all_pairs(own, other)
    alike = [_near_hashes(own, known, settings, *piece) for pairs in search for piece in _pieces(_HASHED, *pairs)]
    first, second, distances = (np.concatenate([each[part] for each in alike] or [_NONE]) for part in range(3))
    return Pairs.joined([_near(own, known, settings, *piece) for piece in _pieces(_READ, first, second, distances)])


def _all_pairs(own: Pictures, other: Pictures | None) -> Iterator[tuple[Places, Places]]:
    for place in range(len(own.numbers)):
        others = np.arange(place if other is None else len(other.numbers))
        yield np.full(len(others), place), others


def _pieces(size: int, *columns: np.ndarray) -> Iterator[tuple[np.ndarray, ...]]:
    """Yields the columns, arrays of equal length, in pieces of at most `size` rows."""
    for start in range(0, len(columns[0]), size):
        yield tuple(column[start : start + size] for column in columns)


def _near_hashes(
    own: Pictures, other: Pictures, settings: Duplicates, first: Places, second: Places
) -> tuple[Places, Places, Float64Array]:
    """Returns the pairs whose hashes are near: the indices of their clips in `own` and in `other`, and their distances, (m,) each.

    first, second: the indices, in `own` and in `other`, of the clips of each pair to compare.
    """
    distances = hash_distances(own.hashes.pictures[first], other.hashes.pictures[second])
    near = distances <= settings.max_distance
    return first[near], second[near], distances[near]


def _near(
    own: Pictures, other: Pictures, settings: Duplicates, first: Places, second: Places, distances: Float64Array
) -> Pairs:
    """Returns those of the given pairs that meet at least one of two conditions.

    1. The two clips move alike.
    2. At least one of the two clips is still, and the distance of the pair is at most STILL_DISTANCE.

    first, second: the indices of the clips of each pair. distances: in how many bits the hashes of the two clips of each pair differ.
    """
    numbers, others = own.numbers[first], other.numbers[second]
    is_later = (numbers > others)[:, None, None]
    thumbs, other_thumbs = own.thumbs(first), other.thumbs(second)
    later, earlier = np.where(is_later, thumbs, other_thumbs), np.where(is_later, other_thumbs, thumbs)
    measured = [motion_correlation(*piece) for piece in _pieces(_MOVING, later, earlier)]
    alike, moved = (np.concatenate([each[part] for each in measured]) for part in range(2))
    is_still = (moved < STILL) & (distances <= STILL_DISTANCE)
    pairs = Pairs.of("pictures", np.maximum(numbers, others), np.minimum(numbers, others), distances, alike)
    return pairs.at((alike >= settings.motion_min) | is_still)
