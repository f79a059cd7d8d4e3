"""Selects terms so that frequent keywords do not crowd out the others. STRATEGIES names the ways to do so; a seed fixes the result.

Terms are divided over buckets (files) by a hash of their texts. Keywords are given by their index, 0 to k - 1. Memory grows with the
number of terms to select and the number of distinct keywords, not with the number of all terms.

A strategy returns the places of the selected terms as (bucket, row). It takes:
read: yields all buckets; each call starts again.
counts: (k,) int64, how many terms contain each keyword.
terms: the settings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from vidal.terms.settings import Terms

# The largest share of a keyword in the database if the recipe sets no cap. MetaCLIP's cap, 20,000 of 400 million, is 40 times less,
# but its database is 4,000 times larger than one of 100,000 terms.
SHARE = 1 / 500


@dataclass(frozen=True)
class Bucket:
    """The terms in one of the files over which all terms are divided. index: the number of the file.

    terms: their texts. keywords: for each term, the indices of its keywords; at least one.
    """

    index: int
    terms: list[str]
    keywords: list[list[int]]


Selected = set[tuple[int, int]]  # (bucket, row)
Read = Callable[[], Iterable[Bucket]]  # Yields all buckets anew on each call.


def metaclip(read: Read, counts: np.ndarray, terms: Terms) -> Selected:
    """Selects up to terms.count terms, and limits how many of them contain the same keyword; after MetaCLIP (Xu et al., ICLR 2024).

    The limit is terms.cap. If terms.cap is not set, the limit starts at a 500th of terms.count, and is doubled until enough terms are
    selected, or until the limit has no effect. A term is skipped if any of its keywords has reached the limit. MetaCLIP skips it only
    if all of them have.
    """
    cap = terms.cap or max(1.0, terms.count * SHARE)
    selected: Selected = set()
    used = np.zeros(len(counts), np.int64).tolist()
    while True:
        for bucket in read():
            for row in _order(bucket, terms.seed):
                if (bucket.index, row) in selected or any(used[keyword] >= cap for keyword in bucket.keywords[row]):
                    continue
                for keyword in bucket.keywords[row]:
                    used[keyword] += 1
                selected.add((bucket.index, row))
                if len(selected) == terms.count:
                    return selected
        if terms.cap or cap > counts.max(initial=0):
            return selected
        cap *= 2


def inverse_frequency(read: Read, counts: np.ndarray, terms: Terms) -> Selected:
    """Samples terms without replacement. The weight of a term is the mean of 1 / frequency over its keywords.

    Each term gets a random number u between 0 and 1. The terms with the smallest -ln(u) / weight are selected (Efraimidis & Spirakis
    2006).
    """
    weights = 1.0 / np.maximum(counts, 1)
    best = _Smallest(terms.count)
    for bucket in read():
        draws = np.array([_uniform(terms.seed, term) for term in bucket.terms])
        means = np.array([weights[keywords].mean() for keywords in bucket.keywords])
        best.add(bucket.index, -np.log(draws) / means)
    return best.selected()


def round_robin(read: Read, counts: np.ndarray, terms: Terms) -> Selected:
    """Selects in rounds: every term belongs to its rarest keyword, and round k selects the k-th term of every keyword."""
    columns: list[np.ndarray] = [np.zeros(0, np.int64)] * 3 + [np.zeros(0)]
    for bucket in read():
        home = np.array([min(keywords, key=lambda k: (counts[k], k)) for keywords in bucket.keywords], np.int64)
        draws = np.array([_uniform(terms.seed, term) for term in bucket.terms])
        rows = np.arange(len(home))
        arrived = (home, np.full(len(home), bucket.index), rows, draws)
        # A term that is not selected here can only fall further behind: the terms of its keyword before it stay before it.
        columns = _first_rounds([np.concatenate(pair) for pair in zip(columns, arrived, strict=True)], terms.count)
    return set(zip(columns[1].tolist(), columns[2].tolist(), strict=True))


STRATEGIES: dict[str, Callable[[Read, np.ndarray, Terms], Selected]] = {
    "metaclip": metaclip,
    "inverse_frequency": inverse_frequency,
    "round_robin": round_robin,
}


def _first_rounds(columns: list[np.ndarray], count: int) -> list[np.ndarray]:
    home, bucket, row, draw = columns
    order = np.lexsort((draw, home))
    starts = np.r_[True, home[order][1:] != home[order][:-1]]
    first = np.maximum.accumulate(np.where(starts, np.arange(len(order)), 0))
    rounds = np.empty(len(order), np.int64)
    rounds[order] = np.arange(len(order)) - first
    kept = np.lexsort((draw, rounds))[:count]
    return [column[kept] for column in (home, bucket, row, draw)]


class _Smallest:
    """The `count` rows with the smallest scores so far."""

    def __init__(self, count: int):
        self._count = count
        self._scores, self._places = np.zeros(0), np.zeros((0, 2), np.int64)

    def add(self, bucket: int, scores: np.ndarray) -> None:
        places = np.stack([np.full(len(scores), bucket), np.arange(len(scores))], axis=1)
        self._scores = np.concatenate([self._scores, scores])
        self._places = np.concatenate([self._places, places])
        kept = np.lexsort((self._places[:, 1], self._places[:, 0], self._scores))[: self._count]
        self._scores, self._places = self._scores[kept], self._places[kept]

    def selected(self) -> Selected:
        return {(int(bucket), int(row)) for bucket, row in self._places}


def _order(bucket: Bucket, seed: int) -> Iterator[int]:
    draws = [_uniform(seed, term) for term in bucket.terms]
    return iter(sorted(range(len(draws)), key=draws.__getitem__))


def _uniform(seed: int, term: str) -> float:
    """Returns a pseudo-random number in (0, 1] that depends only on the seed and the term."""
    digest = blake2b(term.encode(), digest_size=8, salt=seed.to_bytes(16, "big", signed=True)).digest()
    return (int.from_bytes(digest, "big") + 1) / 2**64
