"""The batches that the trainer would learn from."""

from __future__ import annotations

import torch

from vidal.storage.storage import Storage
from vidal.train.reading import Reader
from vidal.train.settings import Encoder, Modality, Train
from vidal.train.stream import Batch, Stream
from vidal.train.torch_dataset import ClipDataset
from vidal.train.training_samples import read_samples


def batches_of(out: str, modality: Modality = Modality.VIDEO, workers: int = 0, size: int = 2) -> list[Batch]:
    """One epoch of a dataset, whatever the layout of its media."""
    storage = Storage(out)
    samples = read_samples(storage, modality, Train())
    reader = Reader(storage, samples, Encoder(side=32, frames=4))
    clips = ClipDataset(samples, reader, dict.fromkeys(samples.captions.names, 1.0), seed=7)
    return list(Stream(clips, batch_size=size, seed=7, workers=workers).batches(0))


def assert_same_batches(one: list[Batch], other: list[Batch]) -> None:
    assert len(one) == len(other) >= 2 and not any(batch.problems for batch in (*one, *other))
    for first, second in zip(one, other, strict=True):
        assert torch.equal(first.pixels, second.pixels) and torch.equal(first.texts, second.texts)
        assert first.cursor == second.cursor
