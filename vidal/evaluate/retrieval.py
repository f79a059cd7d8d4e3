"""Measures retrieval by cosine similarity, exactly and in chunks. The order of answers with equal scores counts as random."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from vidal.models.device import choose_device

KS = (1, 5, 10)
# Scores that differ by less than TIE count as equal, because float32 products of unit vectors are accurate only to about 1e-7.
TIE = 1e-6
_ROWS, _COLUMNS, _PAIRS = 256, 2048, 65536  # The sizes of a chunk: 2 MB of scores, which fit into the cache of a core.


@dataclass(frozen=True)
class Retrieval:
    """How well queries find their right answers.

    recall: for each k, the share of queries with a right answer among the k best. median_rank, mean_rank: the median and mean, over
    queries, of the rank of the first right answer, counted from 1. queries: the number of queries. candidates: the number of answers
    that were ranked for each query. Answers with equal scores are in random order, and recall and ranks are expectations over these
    orders.
    """

    recall: dict[int, float]
    median_rank: float
    mean_rank: float
    queries: int
    candidates: int

    def flat(self, prefix: str = "") -> dict[str, float]:
        """Returns the metrics by the names under which they are printed and stored."""
        shares = {f"{prefix}R@{k}": value for k, value in self.recall.items()}
        return shares | {f"{prefix}median_rank": self.median_rank, f"{prefix}mean_rank": self.mean_rank}


def retrieve(
    queries: np.ndarray, gallery: np.ndarray, query_groups: np.ndarray, gallery_groups: np.ndarray
) -> Retrieval:
    """Ranks the gallery for each query. queries: (n, d), gallery: (m, d), float32, L2-normalised; groups: (n,) and (m,) int.

    An answer is a row of the gallery. It is right if it has the group of the query. For example, a clip and its captions are one group:
    if the clip is the query, each of its captions is a right answer. Raises ValueError if a query has no right answer.
    """
    best, tied_right = _best(queries, gallery, query_groups, gallery_groups)
    above, tied = _counts(queries, gallery, best)
    tied_wrong = np.maximum(tied - tied_right, 0)
    ranks = above + 1 + tied_wrong / (tied_right + 1)
    recall = {k: float(within(k, above, tied_wrong, tied_right).mean()) for k in KS}
    return Retrieval(recall, float(np.median(ranks)), float(ranks.mean()), len(queries), len(gallery))


def retrieve_groups(
    queries: np.ndarray, gallery: np.ndarray, query_groups: np.ndarray, gallery_groups: np.ndarray
) -> Retrieval:
    """Ranks the groups of the gallery for each query, each group by its best member. Arguments and errors as in retrieve.

    For example, the five captions of a video count as one answer, with the score of the best of them, as in CLIP4Clip (Luo et al. 2022).
    """
    order = np.argsort(gallery_groups, kind="stable")
    _, starts = np.unique(gallery_groups[order], return_index=True)
    best, _ = _best(queries, gallery, query_groups, gallery_groups)
    above, tied = _counts(queries, gallery[order], best, starts)
    tied_wrong = np.maximum(tied - 1, 0)
    recall = {k: float(within(k, above, tied_wrong, np.ones_like(tied)).mean()) for k in KS}
    ranks = above + 1 + tied_wrong / 2
    return Retrieval(recall, float(np.median(ranks)), float(ranks.mean()), len(queries), len(starts))


def _best(
    queries: np.ndarray, gallery: np.ndarray, query_groups: np.ndarray, gallery_groups: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Returns, for each query, the score of its best right answer, and how many right answers share that score."""
    order = np.argsort(gallery_groups, kind="stable")
    grouped = gallery_groups[order]
    starts = np.searchsorted(grouped, query_groups, "left")
    counts = np.searchsorted(grouped, query_groups, "right") - starts
    if (counts == 0).any():
        raise ValueError(
            f"query {int(np.flatnonzero(counts == 0)[0])} has no right answer in the gallery: add one, or leave the query out"
        )
    best, tied = np.empty(len(queries), np.float32), np.empty(len(queries), np.int64)
    ends = np.cumsum(counts)
    first = 0
    while first < len(queries):
        # At least one query, and no more pairs than fit.
        last = max(first + 1, int(np.searchsorted(ends, ends[first] - counts[first] + _PAIRS, "right")))
        offsets = np.concatenate(([0], np.cumsum(counts[first:last])[:-1]))
        rows = np.repeat(np.arange(first, last), counts[first:last])
        places = (
            np.arange(len(rows))
            - np.repeat(offsets, counts[first:last])
            + np.repeat(starts[first:last], counts[first:last])
        )
        scores = np.einsum("ij,ij->i", queries[rows], gallery[order[places]])
        best[first:last] = np.maximum.reduceat(scores, offsets)
        tied[first:last] = np.add.reduceat((scores >= best[rows] - TIE).astype(np.int64), offsets)
        first = last
    return best, tied


def _counts(
    queries: np.ndarray, gallery: np.ndarray, best: np.ndarray, starts: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Returns, for each query, how many answers score above the best right answer, and how many equal it.

    gallery: the answers, (m, d). best: the score of the best right answer to each query, (n,). starts: the index of the first row of each
    group. A group of rows counts as one answer, with the score of its best row. If starts is None, each row is an answer of its own.
    """
    device = torch.device(choose_device())
    above, tied = np.zeros(len(queries), np.int64), np.zeros(len(queries), np.int64)
    for first in range(0, len(queries), _ROWS):
        query = torch.from_numpy(queries[first : first + _ROWS]).to(device)
        bar = torch.from_numpy(best[first : first + _ROWS]).to(device)[:, None]
        for start, end, groups in _column_chunks(len(gallery), starts):
            scores = query @ torch.from_numpy(gallery[start:end]).to(device).T
            if groups is not None:
                scores = _group_maxima(scores, torch.from_numpy(groups).to(device))
            # A large gallery has few such answers for a query, and the largest score of a chunk is found ten times as fast as all
            # scores are compared. A quarter slower where most queries have such answers in each chunk.
            reached = (~(scores.amax(1, keepdim=True) < bar - TIE)).nonzero()[:, 0]
            scores, least = scores[reached], bar[reached]
            higher = (scores > least + TIE).sum(1)
            rows = first + reached.cpu().numpy()
            above[rows] += higher.cpu().numpy()
            tied[rows] += ((scores >= least - TIE).sum(1) - higher).cpu().numpy()
    return above, tied


def _column_chunks(count: int, starts: np.ndarray | None) -> Iterator[tuple[int, int, np.ndarray | None]]:
    """Divides the gallery (the answers to rank) into chunks of rows. A group of rows is never divided.

    count: the number of rows. starts: the index of the first row of each group; None if there are no groups.

    Yields three values for each chunk:
    the index of its first row;
    the index after its last row;
    the group of each of its rows, counted from 0 within the chunk; None if there are no groups.
    """
    if starts is None:
        yield from ((start, min(start + _COLUMNS, count), None) for start in range(0, count, _COLUMNS))
        return
    ends = np.append(starts[1:], count)
    first = 0
    while first < len(starts):
        last = max(first + 1, int(np.searchsorted(ends, starts[first] + _COLUMNS, "right")))
        sizes = ends[first:last] - starts[first:last]
        yield int(starts[first]), int(ends[last - 1]), np.repeat(np.arange(last - first), sizes)
        first = last


def _group_maxima(scores: torch.Tensor, groups: torch.Tensor) -> torch.Tensor:
    """Returns the best score in each group, (n, number of groups). scores: (n, m).

    groups: the group of each column of scores, (m,), counted from 0 and ascending.
    """
    maxima = scores.new_full((len(scores), int(groups[-1]) + 1), -torch.inf)
    return maxima.scatter_reduce_(1, groups.expand_as(scores), scores, "amax")


def within(k: int, above: np.ndarray, wrong: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Returns, for each of n queries, the probability that a right answer is among the first k. All arrays are (n,).

    above: the number of answers that score higher than the best right answer. wrong: the number of wrong answers that score the same as
    the best right answer. right: the number of right answers with this score, including the best right answer itself. Answers with the
    same score are in random order.
    """
    places = np.clip(k - above, 0, None)
    missed = np.ones(len(above))
    for rank in range(int(places.max(initial=0))):
        remaining = np.maximum(wrong - rank, 0) / np.maximum(wrong + right - rank, 1)
        missed = np.where(rank < places, missed * remaining, missed)
    return 1 - missed
