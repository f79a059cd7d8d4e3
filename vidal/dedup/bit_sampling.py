"""Finds the pairs of clips that may be copies, so that not all pairs need to be compared: bit sampling (Indyk and Motwani 1998).

Each of TABLES hash tables looks at BITS of the 64 bits of a hash, chosen at random. Two clips meet in a table if a hash of one and a hash
of the other agree in all these bits. Two clips that meet at least HITS_MIN times are called a candidate pair. Only candidate pairs are
compared exactly. Whether two clips are a candidate pair depends only on these two clips. So the copies that are found in a dataset do not
depend on the order in which its shards were compared.

There are three kinds of hashes (see vidal.media.hashing): of whole frames, of the middle parts of frames, and of motion. Middle parts are
compared only with whole frames, to find cropped copies. Motion is compared with motion, to find copies with a logo, which changes the
pictures but does not move. `python -m benchmarks.duplicates_table` measures how many copies are found.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from vidal.dedup.joins import MATCHES_MAX, Places, count_equal, expand_matches, in_pieces, match_keys, sorted_set
from vidal.media.arrays import BoolArray, UInt64Array

TABLES, BITS, HITS_MIN = 16, 24, 2
_KEY = np.uint64(32)  # An entry holds a key in its upper 32 bits, and the number of a clip in the lower ones.
_KEY_REST = np.uint64(32 - BITS)
_CLIP = np.uint64(2**32 - 1)
_ODD = np.uint64(
    0x9E3779B97F4A7C15
)  # Spreads the sampled bits over the key: multiply-shift hashing (Dietzfelbinger et al. 1997).
# A hash of a picture has about 32 bits set. One of a black or a single-coloured picture has hardly any, and says nothing.
_BITS_SET_MIN = 16


def _masks() -> UInt64Array:
    """Returns (TABLES,) uint64: for each hash table, a mask of the BITS bits that it looks at."""
    rng = np.random.default_rng(0)  # Another seed would give other candidate pairs.
    sampled = [rng.choice(64, BITS, replace=False).tolist() for _ in range(TABLES)]
    return np.array([sum(1 << bit for bit in bits) for bits in sampled], np.uint64)


_MASKS = _masks()


@dataclass(frozen=True)
class Hashes:
    """The hashes of n clips with f frames each.

    pictures: (n, v, f) uint64, for v variants of each frame: first the whole frame, then its middle parts. motion: (n, f) uint64, hashes
    of the difference between each frame and its clip's mean picture.
    """

    pictures: UInt64Array
    motion: UInt64Array

    def __len__(self) -> int:
        return len(self.pictures)

    def part(self, start: int, end: int) -> Hashes:
        return Hashes(self.pictures[start:end], self.motion[start:end])


def candidate_pairs(own: Hashes, other: Hashes | None) -> Iterator[tuple[Places, Places]]:
    """Yields candidate pairs as two arrays, (m,) each: the indices of clips in `own`, and the indices of their partners in `other`.

    other: None compares `own` with itself. The first index of each pair is then the larger one.
    """

    sampled = _Sampled.of(own if other is None else other)

    def join(start: int, end: int) -> UInt64Array | None:
        return _join(_Sampled.of(own.part(start, end)), sampled, start, end - start, is_self=other is None)

    for pairs in in_pieces(len(own), join):
        yield (pairs >> _KEY).astype(np.int64), (pairs & _CLIP).astype(np.int64)


@dataclass(frozen=True)
class _Hashed:
    """k hashes of clips. hashes: (k,) uint64. clips: (k,) uint64, the index of the clip that each hash belongs to."""

    hashes: UInt64Array
    clips: UInt64Array

    @classmethod
    def of(cls, hashes: UInt64Array, *, is_motion: bool = False) -> _Hashed:
        """Returns the hashes of n clips, without those that have too few bits set to tell clips apart. hashes: (n, ...) uint64.

        If all hashes of a clip have too few bits set, the clip keeps them all, unless they are hashes of motion (is_motion).
        """
        flat = hashes.reshape(len(hashes), -1)
        counts: BoolArray = np.bitwise_count(flat) >= _BITS_SET_MIN
        if not is_motion:
            counts |= ~counts.any(1, keepdims=True)
        clips = np.broadcast_to(np.arange(len(flat), dtype=np.uint64)[:, None], flat.shape)
        return cls(flat[counts], clips[counts])

    def entries(self, mask: np.uint64, wanted: BoolArray | None = None) -> UInt64Array:
        """Returns the entries of a hash table, (m,) uint64, sorted and without repeats.

        An entry holds a key in its upper 32 bits, and the index of a clip in its lower 32 bits. The key depends only on the bits in
        `mask`.

        mask: the bits of a hash that the table looks at. wanted: (2 ** BITS,) bool. The upper BITS bits of a key are an index into
        `wanted`. An entry is returned only if `wanted` is true at this index. None returns all entries.
        """
        keys, clips = ((self.hashes & mask) * _ODD) >> _KEY, self.clips
        if wanted is not None:
            is_wanted = wanted[keys >> _KEY_REST]
            keys, clips = keys[is_wanted], clips[is_wanted]
        return sorted_set(keys << _KEY | clips)


@dataclass(frozen=True)
class _Sampled:
    """The hashes of some clips.

    pictures: the hashes of whole frames and of their middle parts. whole: those of the whole frames alone. motion: the motion hashes.
    """

    pictures: _Hashed
    whole: _Hashed
    motion: _Hashed

    @classmethod
    def of(cls, hashes: Hashes) -> _Sampled:
        whole = _Hashed.of(hashes.pictures[:, :1])
        return cls(_Hashed.of(hashes.pictures), whole, _Hashed.of(hashes.motion, is_motion=True))


def _join(own: _Sampled, other: _Sampled, offset: int, count: int, *, is_self: bool) -> UInt64Array | None:
    """Returns the candidate pairs, each packed into one number. One clip of a pair is in `own`, and the other clip is in `other`.

    own: a piece of a list of clips. count: the number of clips in the piece. offset: the index in the list at which the piece begins.
    is_self: whether `other` is the whole list. If it is, each clip is paired only with clips before it in the list.

    If there would be too many matches for memory, returns None, and the piece is then halved. A single clip never gives None.
    """
    met: list[UInt64Array] = []
    held = 0
    for mask in _MASKS:
        for left, right in _tables(own, other, mask):
            first, counts = match_keys(left >> _KEY, right >> _KEY)
            held += int(counts.sum())
            if held > MATCHES_MAX and count > 1:
                return None
            ones, others = expand_matches(first, counts)
            pairs = ((left[ones] & _CLIP) + np.uint64(offset)) << _KEY | (right[others] & _CLIP)
            met.append(pairs[pairs >> _KEY > (pairs & _CLIP)] if is_self else pairs)
    pairs, hits = count_equal(met)
    return pairs[hits >= HITS_MIN]


def _tables(own: _Sampled, other: _Sampled, mask: np.uint64) -> Iterator[tuple[UInt64Array, UInt64Array]]:
    """Yields three pairs of sorted arrays. The entries of the first array are to be matched with those of the second.

    1. whole frames and middle parts of `own`, and whole frames of `other`
    2. whole frames of `own`, and middle parts of `other`
    3. motion of `own`, and motion of `other`

    mask: the bits of a hash that the hash table looks at.
    """
    own_all = own.pictures.entries(mask)
    wanted = _keys_of(own_all)  # Entries that cannot match are left out before sorting.
    other_all, other_whole = other.pictures.entries(mask, wanted), other.whole.entries(mask, wanted)
    yield own_all, other_whole
    yield own.whole.entries(mask), np.setdiff1d(other_all, other_whole, assume_unique=True)
    own_motion = own.motion.entries(mask)
    yield own_motion, other.motion.entries(mask, _keys_of(own_motion))


def _keys_of(entries: UInt64Array) -> BoolArray:
    """Returns (2 ** BITS,) bool. Element i is True if a key of `entries` has the value i in its upper BITS bits.

    If element i is False, a key with the value i in these bits equals no key of `entries`.
    entries: (k,) uint64. The upper 32 bits of an entry are its key.
    """
    present: BoolArray = np.zeros(2**BITS, bool)
    present[entries >> (_KEY + _KEY_REST)] = True
    return present
