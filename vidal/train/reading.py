"""Reads the array that an encoder takes for a clip: from arrays that were decoded in advance or, without these, from media files."""

from __future__ import annotations

import contextlib
from typing import Protocol

import numpy as np

from vidal.storage.storage import Storage
from vidal.train import inputs
from vidal.train.augmentation import NONE, Augmentation, draw
from vidal.train.inputs import ModelInput
from vidal.train.settings import Encoder, Modality
from vidal.train.training_samples import TrainingSamples


class PackedArrays(Protocol):
    """Arrays that were decoded in advance, see packed.Pack."""

    def read(self, clip_id: str, shard: int, frames: list[int]) -> ModelInput:
        """Returns frames of a clip as (n, 3, h, w), or (n, 1, h, w) for depth. frames: the numbers of the frames in the clip.

        Raises RecordError if the clip could not be decoded.
        """


class Reader:
    """Reads the input arrays of samples. packed: arrays that were decoded in advance; without them, the media files are decoded."""

    def __init__(
        self, storage: Storage, samples: TrainingSamples, settings: Encoder, packed: PackedArrays | None = None
    ):
        self._storage, self._samples, self._settings, self._packed = storage, samples, settings, packed

    @property
    def item_bytes(self) -> int:
        """The size of the array of one sample, in bytes."""
        settings, modality = self._settings, self._samples.modality
        if modality is Modality.AUDIO:
            return 3 * 2 * settings.fbank.mel_bins * settings.fbank.frames
        picture = settings.side**2 * (2 if modality is Modality.DEPTH else 3)
        return picture * (settings.frames if modality is Modality.VIDEO else 1)

    def draw_augmentation(self, key: tuple[int, ...]) -> Augmentation:
        """Draws the crop and the flip of a training sample. key: (seed, epoch, row of the clip)."""
        return draw(self._settings, key)

    def __call__(self, row: int, frame: int, augmentation: Augmentation = NONE) -> ModelInput:
        """Returns the array of a sample: (3, h, w), (1, h, w) for depth, or (t, 3, h, w) for a video.

        row: the index of the clip in the samples. frame: the number of the picture in the clip. It is not used for a video, whose frames
        are spread evenly over the clip. Raises RecordError if a file cannot be decoded, and OSError if it cannot be fetched.
        """
        paths = self._samples.paths_of(row)
        places = spread(len(paths), self._settings.frames) if self._samples.modality is Modality.VIDEO else [frame]
        if self._packed is not None:
            views = self._packed.read(self._samples.clip_ids[row], int(self._samples.shards[row]), places)
        else:
            chosen = [paths[index] for index in places]
            views = self.read_files(chosen, self._samples.depth_kinds[row], augmentation.place)
        if augmentation.flip:
            views = np.ascontiguousarray(views[..., ::-1])
        values: ModelInput = views if self._samples.modality is Modality.VIDEO else views[0]
        return values

    def read_files(self, paths: list[str], depth_kind: str | None, place: float = NONE.place) -> ModelInput:
        """Returns the arrays of n files, (n, 3, h, w), or (n, 1, h, w) for depth. Raises RecordError or OSError if one cannot be read.

        place: the position of the square crop along the longer side, 0..1.
        """
        modality, side = self._samples.modality, self._settings.side
        with contextlib.ExitStack() as stack:
            local = [stack.enter_context(self._storage.local(path)) for path in paths]
            if modality is Modality.DEPTH:
                return np.stack([inputs.read_depth(path, side, depth_kind, place) for path in local])
            if modality is Modality.AUDIO:
                return np.stack([inputs.read_sound(path, self._settings.fbank) for path in local])
            return np.stack([inputs.read_image(path, side, place) for path in local])


def spread(count: int, sampled: int) -> list[int]:
    """Returns `sampled` indices, spread evenly over `count` frames from the first to the last.

    The indices are rounded down, as in LanguageBind's loader. Some repeat if `count` is smaller than `sampled`.
    """
    return [int(place) for place in np.linspace(0, count - 1, sampled, dtype=int)]
