"""A torch Dataset of the clips of one modality, each with a text. The trainer reads the same items."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypedDict

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, IterableDataset, get_worker_info

from vidal.errors import RecordError, UserError
from vidal.storage.storage import Storage
from vidal.train import process_group
from vidal.train.reading import Reader
from vidal.train.settings import Encoder, Fbank, Modality, Train
from vidal.train.training_samples import TrainingSamples, read_samples, sample_caption

VIEWS = {"title": 1.0, "keyframe": 1.0, "video": 1.0, "enhanced": 1.0}
SOUND_VIEWS = {"title": 1.0, "enhanced": 1.0, "sound": 1.0}


class Item(TypedDict):
    """A clip with a text.

    pixels: for image and infrared, uint8 (3, h, w). For video, uint8 (t, 3, h, w). For depth, float16 (1, h, w), about 0..1; larger is
    farther. For audio, log mel energies, float16 (3, mel_bins, frames).
    text: a random one of the clip's captions. text_index: the index of the text among the distinct texts of the dataset.
    frame: for image, depth and infrared, the number of the picture in the clip. For video and audio, it means nothing.
    clip_id, shard: as in the manifest.
    """

    clip_id: str
    shard: int
    pixels: Tensor
    text: str
    text_index: int
    frame: int


class ClipDataset(Dataset[Item]):
    """The clips of a modality, by index.

    Duplicates, silent sounds, clips of other splits and of evaluation sets, and clips without a usable caption are left out.

    Seed and epoch decide the text and the picture of each item. The same seed and epoch give the same items in every process. Call
    set_epoch before each epoch. The default collate function of a DataLoader makes batches of the items.
    """

    def __init__(self, samples: TrainingSamples, reader: Reader, views: Mapping[str, float], seed: int = 0):
        """Users call `vidal.open(OUT).torch(...)` instead. views: the weight of each view (kind of caption), by its name."""
        self.samples, self.reader = samples, reader
        self._weights = np.array([views[name] for name in samples.captions.names])
        self._seed, self._epoch = seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Sets the epoch, which decides the texts and pictures of the items."""
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Item:
        """Returns an item. Raises IndexError if there is none, and RecordError or OSError if a file of the clip cannot be read."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        return self.read(index, self._epoch)

    def read(self, row: int, epoch: int) -> Item:
        """Returns the item of a row in an epoch. Raises RecordError or OSError if a file of the clip cannot be read."""
        key = (self._seed, epoch)
        text, frame = sample_caption(self.samples, row, self._weights, key)
        views = self.reader(row, frame, self.reader.draw_augmentation((*key, row)))
        return {
            "clip_id": self.samples.clip_ids[row],
            "shard": int(self.samples.shards[row]),
            "pixels": torch.from_numpy(views),
            "text": self.samples.captions.distinct[text].as_py(),
            "text_index": text,
            "frame": frame,
        }

    def iterate(self, shuffle: bool = True) -> ClipStream:
        """Returns the clips of this dataset as a stream that is divided among processes and loader workers.

        shuffle: whether the order is random, by seed and epoch; if not, it is that of the dataset.
        """
        return ClipStream(self, shuffle, self._seed)


class ClipStream(IterableDataset[Item]):
    """The clips of a ClipDataset, once each. Each process of torch.distributed and each worker of a DataLoader gets its own share.

    Clips that cannot be read are left out; `unreadable` counts them in the process that tried to read them. Every iteration yields the
    same epoch, with the same order and texts, until set_epoch sets another.
    """

    def __init__(self, clips: ClipDataset, shuffle: bool, seed: int):
        self._clips, self._shuffle, self._seed = clips, shuffle, seed
        self._epoch = 0
        self.unreadable = 0

    def set_epoch(self, epoch: int) -> None:
        """Sets the epoch, which decides the order, the texts and the pictures of the clips. Call it before iterating."""
        self._epoch = epoch

    def __iter__(self) -> Iterator[Item]:
        worker, count = get_worker_info(), len(self._clips)
        workers, number = (worker.num_workers, worker.id) if worker else (1, 0)
        order = (
            np.random.default_rng((self._seed, self._epoch)).permutation(count) if self._shuffle else np.arange(count)
        )
        share = process_group.rank() * workers + number
        for row in order[share :: process_group.world() * workers]:
            try:
                yield self._clips.read(int(row), self._epoch)
            except (RecordError, OSError):
                self.unreadable += 1


def open_clips(
    storage: Storage,
    modality: str,
    views: Sequence[str] | Mapping[str, float] | None = None,
    splits: Sequence[str] = ("train",),
    side: int = 224,
    frames: int = 8,
    mel_bins: int = 128,
    fbank_frames: int = 1024,
    seed: int = 0,
) -> ClipDataset:
    """Opens the clips of a modality. The arguments are those of Dataset.torch.

    Raises UserError if the modality is unknown, or if the dataset has no clip for it.
    """
    try:
        chosen = Modality(modality)
    except ValueError:
        raise UserError(f"no modality {modality!r}: choose from {', '.join(each.value for each in Modality)}") from None
    weights = _weights(chosen, views)
    fbank = Fbank(mel_bins=mel_bins, frames=fbank_frames)
    encoder = Encoder(side=side, frames=frames, fbank=fbank)
    settings = Train.model_validate({"views": weights, "splits": tuple(splits), "modalities": {chosen: encoder}})
    samples = read_samples(storage, chosen, settings)
    return ClipDataset(samples, Reader(storage, samples, encoder), weights, seed)


def _weights(modality: Modality, views: Sequence[str] | Mapping[str, float] | None) -> dict[str, float]:
    if views is None:
        return SOUND_VIEWS if modality is Modality.AUDIO else VIEWS
    if isinstance(views, str):
        return {views: 1.0}
    return dict(views) if isinstance(views, Mapping) else dict.fromkeys(views, 1.0)
