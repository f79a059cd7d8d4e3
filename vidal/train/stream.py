"""Yields the batches of an epoch, starting at any position. The seed and the epoch fix the order of the clips.

So a run that is resumed with the same number of processes gets the same batches as without the interruption.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from vidal.errors import RecordError
from vidal.train.torch_dataset import ClipDataset
from vidal.train.training_samples import IntArray
from vidal.train.window import Window

REST_MAX = 0.1  # Share of an epoch that may be left over because it does not fill a batch.
# Limits of reading ahead: the bytes of all loader processes together, and the batches of each loader process.
PREFETCH_BYTES, PREFETCH_MAX = 512 << 20, 16


@dataclass(frozen=True)
class Batch:
    """The samples of one step in one process.

    pixels: the arrays of the samples, stacked. texts: (n,) indices into captions.distinct. cursor: how many records of the epoch this
    process has used or skipped at the end of this batch. problems: for each record that was skipped after the previous batch, why it
    could not be read.
    """

    pixels: torch.Tensor
    texts: torch.Tensor
    cursor: int
    problems: tuple[str, ...]


class Stream:
    """The batches of one of `world` processes. Every process has the same number of records in an epoch.

    clips: the dataset to read; it must have been made with the same `seed`. batch_size: the number of samples in a step, in all processes
    together. workers: the number of loader processes; 0 loads data in this process.

    Attributes: size: the number of samples in a batch of this process. steps: the number of batches in an epoch; there may be fewer if
    records cannot be read. tail: at the end of an epoch, the errors of the records that were skipped since the final batch.
    """

    def __init__(
        self,
        clips: ClipDataset,
        *,
        batch_size: int,
        seed: int,
        rank: int = 0,
        world: int = 1,
        workers: int = 0,
    ):
        self._count, self._seed = len(clips), seed
        self._rank, self._world = rank, world
        self._resumed = (-1, Window())
        self.tail: tuple[str, ...] = ()
        self.size, self.steps = _batch_plan(len(clips) // world, max(1, batch_size // world))
        self._plan = _Plan()
        self._loader = DataLoader(
            _Items(clips),
            sampler=self._plan,
            batch_size=None,
            num_workers=workers,
            persistent_workers=workers > 0,
            prefetch_factor=_prefetched(self.size * clips.reader.item_bytes, workers) if workers else None,
            pin_memory=torch.cuda.is_available(),
            # A loader draws a seed in each pass. If it drew from torch's global generator, a resumed run would draw one seed more than a
            # run without a break, and its dropout would differ.
            generator=torch.Generator(),
        )

    def resume_in(self, epoch: int, window: Window) -> None:
        """Limits an epoch to the records in a window: those that were not consumed before the run was interrupted."""
        self._resumed = (epoch, window)

    def window(self, epoch: int) -> Window:
        """Returns which records of an epoch this run reads: all or, if an interrupted run began the epoch, those not yet consumed."""
        resumed, window = self._resumed
        return window if epoch == resumed else Window()

    def order(self, epoch: int) -> IntArray:
        """Returns the indices of the clips that this process reads in an epoch, in reading order."""
        whole = np.random.default_rng((self._seed, epoch)).permutation(self._count)
        return whole[self.window(epoch).of_process(len(whole), self._rank, self._world)]

    def batches(self, epoch: int, cursor: int = 0) -> Iterator[Batch]:
        """Yields the full batches of an epoch. A record that cannot be read is skipped, and the next one takes its place.

        cursor: how many records of this process an interrupted run has already used or skipped; the batches begin after them.
        """
        rows = self.order(epoch)[cursor:]
        self._plan.chunks = [(epoch, rows[start : start + self.size]) for start in range(0, len(rows), self.size)]
        pixels: list[torch.Tensor] = []
        texts: list[int] = []
        places: list[int] = []
        problems: list[str] = []
        position = cursor
        for chunk_pixels, chunk_texts, readable, chunk_problems in self._loader:
            if not chunk_problems and len(readable) == self.size and not texts:  # The usual case: the chunk is a batch.
                position += self.size
                yield Batch(chunk_pixels, chunk_texts, position, tuple(problems))
                problems = []
                continue
            problems += chunk_problems
            places += [position + int(place) for place in torch.nonzero(readable)]
            pixels += list(chunk_pixels)
            texts += chunk_texts.tolist()
            position += len(readable)
            while len(texts) >= self.size:
                stacked = torch.stack(pixels[: self.size]), torch.tensor(texts[: self.size])
                yield Batch(*stacked, places[self.size - 1] + 1, tuple(problems))
                pixels, texts, places, problems = pixels[self.size :], texts[self.size :], places[self.size :], []
        self.tail = tuple(problems)


def _batch_plan(rows: int, size: int) -> tuple[int, int]:
    """Returns (the size of a batch, the number of batches in an epoch).

    rows: the number of rows that one process reads in an epoch. size: the desired size of a batch.

    Every batch is full, and some rows may be left over. If more than REST_MAX * rows would be left over with the desired size, a smaller
    size is returned. The smaller size gives at least one more batch.
    """
    size = max(1, min(size, rows))
    if rows % size > REST_MAX * rows:
        size = rows // (rows // size + 1)
    return size, max(1, rows // size)


def _prefetched(batch_bytes: int, workers: int) -> int:
    """Returns how many batches each of `workers` loader processes reads ahead. batch_bytes: the size of a batch, in bytes."""
    return min(PREFETCH_MAX, max(1, PREFETCH_BYTES // (batch_bytes * workers)))


class _Plan(Sampler[tuple[int, IntArray]]):
    """A sampler that yields its `chunks`, which are pairs (epoch, rows to read).

    Each epoch sets new chunks, so that one loader serves all epochs and its processes go on running.
    """

    def __init__(self) -> None:
        self.chunks: list[tuple[int, IntArray]] = []

    def __iter__(self) -> Iterator[tuple[int, IntArray]]:
        return iter(self.chunks)

    def __len__(self) -> int:
        return len(self.chunks)


class _Items(Dataset[Any]):
    """Reads chunks of rows for the loader, which asks for a chunk by (epoch, rows).

    A chunk is returned as four values:
    the arrays of the readable rows, stacked;
    for each readable row, the index of its text in captions.distinct;
    for each row, whether it is readable;
    for each unreadable row, the error.
    """

    def __init__(self, clips: ClipDataset):
        self._clips = clips

    def __getitem__(self, chunk: tuple[int, IntArray]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, list[str]]:
        epoch, rows = chunk
        views, texts, readable, problems = [], [], [], []
        for row in map(int, rows):
            try:
                item = self._clips.read(row, epoch)
            except (RecordError, OSError) as error:
                problems.append(f"{self._clips.samples.clip_ids[row]}: {error}")
                readable.append(False)
                continue
            views.append(item["pixels"])
            texts.append(item["text_index"])
            readable.append(True)
        stacked = torch.stack(views) if views else torch.zeros(0)
        return stacked, torch.tensor(texts, dtype=torch.long), torch.tensor(readable), problems
