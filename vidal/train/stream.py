"""Batches in an order that seed and epoch determine, from any position on, so that a resumed run gets the same batches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from vidal.errors import RecordError
from vidal.train.reading import Reader
from vidal.train.training_samples import TrainingSamples, sample_caption

REST = 0.1


@dataclass(frozen=True)
class Batch:
    """pixels: as the reader gives them, stacked. texts: indices of captions.distinct. cursor: where the next batch begins.

    problems: why records were passed over on the way to this batch, one each.
    """

    pixels: torch.Tensor
    texts: torch.Tensor
    cursor: int
    problems: tuple[str, ...]


class Stream:
    """The share of one process (rank of world). Every process has as many records an epoch as any other."""

    def __init__(
        self,
        samples: TrainingSamples,
        reader: Reader,
        weights: np.ndarray,
        *,
        batch_size: int,
        seed: int,
        rank: int = 0,
        world: int = 1,
        workers: int = 0,
    ):
        self._samples, self._weights, self._seed = samples, weights, seed
        self._rank, self._world, self._workers = rank, world, workers
        self._reader = reader
        self.tail: tuple[str, ...] = ()  # Problems behind the last batch of the epoch that ended.
        self.size, self.steps = _evenly(len(samples) // world, max(1, batch_size // world))

    def order(self, epoch: int) -> np.ndarray:
        """Returns the rows of this process, in order."""
        whole = np.random.default_rng((self._seed, epoch)).permutation(len(self._samples))
        return whole[self._rank :: self._world][: max(1, len(whole) // self._world)]

    def epoch(self, epoch: int, cursor: int = 0) -> Iterator[Batch]:
        """Yields full batches. A record that cannot be read is skipped, and the next one takes its place."""
        rows = self.order(epoch)[cursor:]
        chunks = [rows[start : start + self.size] for start in range(0, len(rows), self.size)]
        items = _Items(self._samples, self._reader, self._weights, (self._seed, epoch))
        loader = DataLoader(
            items,
            sampler=chunks,
            batch_size=None,
            num_workers=self._workers,
            prefetch_factor=4 if self._workers else None,
            pin_memory=torch.cuda.is_available(),
        )
        pixels: list[torch.Tensor] = []
        texts: list[int] = []
        places: list[int] = []
        problems: list[str] = []
        position = cursor
        for pixels_read, drawn, readable, why in loader:
            if not why and len(readable) == self.size and not texts:  # As a rule: nothing to put together.
                position += self.size
                yield Batch(pixels_read, drawn, position, tuple(problems))
                problems = []
                continue
            problems += why
            places += [position + int(each) for each in torch.nonzero(readable)]
            pixels += list(pixels_read)
            texts += drawn.tolist()
            position += len(readable)
            while len(texts) >= self.size:
                together = torch.stack(pixels[: self.size]), torch.tensor(texts[: self.size])
                yield Batch(*together, places[self.size - 1] + 1, tuple(problems))
                pixels, texts, places, problems = pixels[self.size :], texts[self.size :], places[self.size :], []
        self.tail = tuple(problems)


def _evenly(rows: int, size: int) -> tuple[int, int]:
    """(size, steps) of full batches. Where what is left over is more than REST of an epoch, one batch more, of smaller ones."""
    size = max(1, min(size, rows))
    steps = max(1, rows // size)
    if rows - steps * size > REST * rows:
        steps += 1
        size = rows // steps
    return size, steps


class _Items(Dataset[Any]):
    """By a chunk of rows: (readable ones stacked, their texts, which of the chunk were readable, why the others were not)."""

    def __init__(self, samples: TrainingSamples, reader: Reader, weights: np.ndarray, key: tuple[int, int]):
        self._samples, self._reader, self._weights, self._key = samples, reader, weights, key

    def __getitem__(self, rows: np.ndarray) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, list[str]]:
        views, texts, readable, problems = [], [], [], []
        for row in map(int, rows):
            text, frame = sample_caption(self._samples, row, self._weights, self._key)
            try:
                views.append(self._reader(row, frame))
            except (RecordError, OSError) as error:
                problems.append(f"{self._samples.clip_ids[row]}: {error}")
                readable.append(False)
                continue
            texts.append(text)
            readable.append(True)
        stacked = torch.from_numpy(np.stack(views)) if views else torch.zeros(0)
        return stacked, torch.tensor(texts, dtype=torch.long), torch.tensor(readable), problems
