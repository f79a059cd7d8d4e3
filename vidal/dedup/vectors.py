"""Finds clips whose embeddings are close. Only embeddings with the same number of dimensions are compared.

In a large dataset, the space of vectors is divided into cells. A vector belongs to the four cells with the nearest centres, and only
vectors with a cell in common are compared: an inverted file, as in video search (Sivic and Zisserman 2003). The centres are computed from
the first vectors of the dataset, so they change only if these vectors change.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from sklearn.cluster import KMeans

from vidal.dedup.joins import Places
from vidal.dedup.pairs import Pairs, Way
from vidal.media.arrays import Float32Array

# The centres are computed from this many vectors, the first of a dataset. A dataset with fewer has no cells.
SAMPLE = 20_000
_CELLS, _CELLS_EACH, _ROUNDS = 512, 4, 10
_ROWS = 1024  # Rows of a product of matrices at a time.


@dataclass(frozen=True)
class Vectors:
    """n embeddings of clips. numbers: (n,) int64, the number that identifies each clip. values: (n, w) float32, rows of norm 1."""

    numbers: Places
    values: Float32Array


def cell_centres(sample: Float32Array) -> Float32Array:
    """Returns the centres of the cells, (512, w) float32: those of k-means with a fixed seed, scaled to norm 1.

    sample: (SAMPLE, w) float32.
    """
    centres = KMeans(_CELLS, n_init=1, max_iter=_ROUNDS, random_state=0).fit(sample).cluster_centers_
    units: Float32Array = centres / np.maximum(np.linalg.norm(centres, axis=1, keepdims=True), 1e-12)
    return units.astype(np.float32)


def near_vectors(way: Way, own: Vectors, other: Vectors | None, cosine_min: float, cells: Float32Array | None) -> Pairs:
    """Returns the pairs of clips whose vectors have a cosine of at least cosine_min.

    way: the name of the column that the vectors are from. other: None compares `own` with itself. cells: the centres of the cells, as
    cell_centres returns them: only vectors with a cell in common are compared. None compares all vectors.
    """
    known = own if other is None else other
    cosines_of: dict[tuple[int, int], float] = {}
    for ones, others in _groups(own, known, cells):
        for first, second, cosine in _close(own.values[ones], known.values[others], cosine_min):
            one, two = int(own.numbers[ones[first]]), int(known.numbers[others[second]])
            if one > two or other is not None:
                cosines_of[max(one, two), min(one, two)] = cosine
    numbers = np.array(list(cosines_of), np.int64).reshape(-1, 2)
    return Pairs.of(way, numbers[:, 0], numbers[:, 1], 1 - np.array(list(cosines_of.values()), np.float64))


def _groups(own: Vectors, other: Vectors, cells: Float32Array | None) -> Iterator[tuple[Places, Places]]:
    """Yields groups of vectors to compare with each other, as their indices in `own` and in `other`.

    cells: the centres of cells, into which the space of vectors is divided; there is a group for each cell. None: one group of all
    vectors.
    """
    if cells is None:
        yield np.arange(len(own.numbers)), np.arange(len(other.numbers))
        return
    own_cells, other_cells = _nearest_cells(own.values, cells), _nearest_cells(other.values, cells)
    for cell in range(len(cells)):
        yield np.flatnonzero((own_cells == cell).any(1)), np.flatnonzero((other_cells == cell).any(1))


def _nearest_cells(values: Float32Array, cells: Float32Array) -> Places:
    """Returns (n, _CELLS_EACH) int64: the numbers of the cells whose centres are nearest to each vector, in no particular order."""
    parts = [np.zeros((0, _CELLS_EACH), np.int64)]
    for start in range(0, len(values), 16 * _ROWS):
        cosines = values[start : start + 16 * _ROWS] @ cells.T
        parts.append(np.argpartition(-cosines, _CELLS_EACH, axis=1)[:, :_CELLS_EACH])
    return np.concatenate(parts)


def _close(own: Float32Array, other: Float32Array, cosine_min: float) -> Iterator[tuple[int, int, float]]:
    for start in range(0, len(own), _ROWS):
        cosines = own[start : start + _ROWS] @ other.T
        for first, second in zip(*np.nonzero(cosines >= cosine_min), strict=True):
            yield start + int(first), int(second), float(cosines[first, second])
