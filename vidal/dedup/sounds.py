"""Finds recordings that are nearly the same, by their fingerprints. A fingerprint is a series of values.

First, an index of values shows which recordings have equal values. Then the fingerprints of two such recordings are compared bit by
bit, at each time offset at which at least two of their values are equal. If one of the recordings is shorter than 4 s, one equal value
is enough. At most 32 offsets are tried, those with the most equal values.

Values that a recording repeats more than four times, as in silence, are left out of the index. But if too few values of a recording
would remain, all of them are in the index. Whether two recordings are found to be the same does not depend on any other recording.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from vidal.dedup.joins import MATCHES_MAX, Places, count_equal, expand_matches, in_pieces, match_keys
from vidal.dedup.pairs import Pairs
from vidal.media.arrays import BoolArray, UInt32Array, UInt64Array
from vidal.media.fingerprint import VALUES_MIN, difference

# A value that a recording has more often is not looked up, unless too few values would be left.
_REPEATS_MAX = 4
# Fingerprints with fewer than _SHORT values, of less than 4 s, are compared even if they share only one value.
_VOTES_MIN, _SHORT = 2, 32
_OFFSETS = 32  # How many alignments of two recordings are compared, the likeliest first.
# Values of a fingerprint that are looked up: the first 68 minutes. An offset then fits into 17 bits.
_VALUES_MAX = 2**15
_OVERLAP_MIN = 0.8  # The share of the shorter fingerprint that must overlap the other.
_CLIP_BITS, _OFFSET_BITS = np.uint64(23), np.uint64(17)


@dataclass(frozen=True)
class Sounds:
    """n recordings. numbers: (n,) int64, the numbers of their clips. values: the fingerprint of each recording, (k,) uint32."""

    numbers: Places
    values: list[UInt32Array]


@dataclass(frozen=True)
class _Index:
    """Says in which recordings each value of a fingerprint occurs, and where.

    values: (k,) uint32, the values of all fingerprints, sorted. clips: (k,) int64, the index of the recording that each value comes
    from. places: (k,) int64, the index of each value in its fingerprint.
    """

    values: UInt32Array
    clips: Places
    places: Places


def near_sounds(own: Sounds, other: Sounds | None, difference_max: float) -> Pairs:
    """Returns the pairs of recordings that are nearly the same. other: None compares `own` with itself.

    difference_max: the largest share of differing bits, 0..1.
    """
    known = own if other is None else other
    index = _indexed(known.values)

    def join(start: int, end: int) -> UInt64Array | None:
        return _join(_indexed(own.values[start:end]), index, start, is_self=other is None, is_whole=end - start == 1)

    rows: list[tuple[int, int, float]] = []
    for packed in in_pieces(len(own.values), join):
        rows += _near(own, known, *count_equal([packed]), difference_max)
    numbers = np.array([row[:2] for row in rows], np.int64).reshape(-1, 2)
    distances = np.array([row[2] for row in rows], np.float64)
    return Pairs.of("sound", numbers.max(1, initial=0), numbers.min(1, initial=2**62), distances)


def _indexed(recordings: list[UInt32Array]) -> _Index:
    cut = [values[:_VALUES_MAX] for values in recordings]
    values = np.concatenate([np.zeros(0, np.uint32), *cut])
    clips = np.repeat(np.arange(len(cut)), [len(each) for each in cut])
    places = np.concatenate([np.zeros(0, np.int64), *(np.arange(len(each)) for each in cut)])
    kept = np.flatnonzero(_rare(values, clips, len(cut)))
    order = kept[np.argsort(values[kept], kind="stable")]
    return _Index(values[order], clips[order], places[order])


def _rare(values: UInt32Array, clips: Places, count: int) -> BoolArray:
    """Returns (k,) bool: whether each value is used to find similar recordings.

    A value that its recording repeats often is not used, unless the recording would then have too few values.

    values: (k,) values of fingerprints. clips: (k,) the index of the recording that each comes from. count: the number of recordings.
    """
    own = clips.astype(np.uint64) << np.uint64(32) | values
    different, counts = count_equal([own])
    repeats = counts[np.searchsorted(different, own)]
    rare: BoolArray = repeats <= _REPEATS_MAX
    is_enough = np.bincount(clips[rare], minlength=count) >= VALUES_MIN
    return rare | ~is_enough[clips]


def _join(own: _Index, other: _Index, start: int, *, is_self: bool, is_whole: bool) -> UInt64Array | None:
    """Finds each pair of equal fingerprint values, one in `own` and one in `other`. Returns one number for each pair.

    The number packs the two recordings and the time offset between the values. _unpacked unpacks it.

    own: the index of a piece of a list of recordings. start: where the piece starts in the list. is_self: whether `other` is the index
    of the whole list; if so, each recording is paired only with recordings before it in the list. is_whole: whether the piece is a
    single recording.

    If there would be too many numbers, returns None, and the caller halves the piece. A single recording never gives None.
    """
    first, counts = match_keys(own.values, other.values)
    if counts.sum() > MATCHES_MAX and not is_whole:
        return None
    ones, others = expand_matches(first, counts)
    clips, other_clips = own.clips[ones] + start, other.clips[others]
    offsets = other.places[others] - own.places[ones] + _VALUES_MAX
    packed = (clips.astype(np.uint64) << _CLIP_BITS | other_clips.astype(np.uint64)) << _OFFSET_BITS
    packed |= offsets.astype(np.uint64)
    return packed[clips > other_clips] if is_self else packed


def _near(
    own: Sounds, other: Sounds, keys: UInt64Array, votes: Places, difference_max: float
) -> Iterator[tuple[int, int, float]]:
    """Yields (clip of own, clip of other, share of bits that differ) for each pair of recordings that are nearly the same.

    keys: sorted; each key encodes a recording of `own`, one of `other`, and an offset in time, see _unpacked. votes: for each key, how
    many values of the two recordings are equal at this offset.
    """
    ones, others, offsets = _unpacked(keys)
    is_kept = (votes >= _VOTES_MIN) | (np.minimum(_lengths(own)[ones], _lengths(other)[others]) < _SHORT)
    ones, others, offsets, votes = ones[is_kept], others[is_kept], offsets[is_kept], votes[is_kept]
    is_first = np.r_[True, (np.diff(ones) != 0) | (np.diff(others) != 0)][: len(ones)]
    starts = np.flatnonzero(is_first)
    for start, end in zip(starts, np.r_[starts, len(ones)][1:], strict=True):
        likeliest = start + np.argsort(-votes[start:end], kind="stable")[:_OFFSETS]
        one, two = ones[start], others[start]
        nearest = min(
            difference(own.values[one], other.values[two], offset, _OVERLAP_MIN)
            for offset in offsets[likeliest].tolist()
        )
        if nearest <= difference_max:
            yield int(own.numbers[one]), int(other.numbers[two]), nearest


def _unpacked(keys: UInt64Array) -> tuple[Places, Places, Places]:
    """Returns the index of one recording, the index of another, and their offset in time: three arrays, (k,) each.

    keys: (k,). _join has packed these three numbers into each key.
    """
    pairs = keys >> _OFFSET_BITS
    offsets = (keys & _ones(_OFFSET_BITS)).astype(np.int64) - _VALUES_MAX
    return (pairs >> _CLIP_BITS).astype(np.int64), (pairs & _ones(_CLIP_BITS)).astype(np.int64), offsets


def _ones(bits: np.uint64) -> np.uint64:
    return (np.uint64(1) << bits) - np.uint64(1)


def _lengths(sounds: Sounds) -> Places:
    return np.array([len(values) for values in sounds.values], np.int64)
