"""Joins of sorted keys: finds the entries of two arrays that have a key in common, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from vidal.media.arrays import UInt64Array

# Indices into an array.
Places = npt.NDArray[np.int64]
# The largest number of matches that are held at a time. They take about 1 GB while they are counted.
MATCHES_MAX = 2**25


def match_keys(own: npt.NDArray[np.unsignedinteger], other: npt.NDArray[np.unsignedinteger]) -> tuple[Places, Places]:
    """Returns, for each entry of `own`, the index of its first match in `other` and the number of its matches. Both arrays are sorted."""
    first = np.searchsorted(other, own, "left")
    return first, np.searchsorted(other, own, "right") - first


def expand_matches(first: Places, counts: Places) -> tuple[Places, Places]:
    """Lists all m matches between two sorted arrays: returns their indices in the first array and in the second, (m,) each.

    first, counts: for each entry of the first array, the index of its first match in the second array, and the number of its matches.
    """
    own = np.repeat(np.arange(len(counts)), counts)
    within = np.arange(len(own)) - np.repeat(np.cumsum(counts) - counts, counts)
    return own, np.repeat(first, counts) + within


def sorted_set(values: UInt64Array) -> UInt64Array:
    """Returns the distinct values, sorted. np.unique would take ten times as long, because since NumPy 2.3 it hashes the values."""
    return count_equal([values])[0]


def count_equal(values: list[UInt64Array]) -> tuple[UInt64Array, Places]:
    """Returns the distinct values of several arrays, sorted, and how often each occurs."""
    ordered = np.sort(np.concatenate(values)) if values else np.zeros(0, np.uint64)
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]][: len(ordered)])
    return ordered[starts], np.diff(np.r_[starts, len(ordered)])


def in_pieces(count: int, join: Callable[[int, int], UInt64Array | None]) -> Iterator[UInt64Array]:
    """Divides `count` clips into pieces that are small enough for memory, and yields the result of `join` for each piece.

    join: takes the index of the first clip of a piece, and the index after its last clip. It returns None for a
    piece that is too large; the piece is then halved.
    """
    waiting = [(0, count)] if count else []
    while waiting:
        start, end = waiting.pop()
        joined = join(start, end)
        if joined is not None:
            yield joined
        else:
            middle = (start + end) // 2
            waiting += [(middle, end), (start, middle)]
