"""Reads the array that an encoder is given for a clip: from the packed file if there is one, else from the media."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np

from vidal.storage.storage import Storage
from vidal.train.settings import Encoder, Modality
from vidal.train.training_samples import TrainingSamples

Unpacked = Callable[[int, int], np.ndarray]


class Reader:
    """Reads rows of records. packed: gives frames [first, last) of a row's clip, as one array; None reads files."""

    def __init__(self, storage: Storage, samples: TrainingSamples, settings: Encoder, packed: Any = None):
        self._storage, self._samples, self._settings, self._packed = storage, samples, settings, packed

    def __call__(self, row: int, frame: int) -> np.ndarray:
        """(3, h, w), or (t, 3, h, w) of a video; uint8 or float16. Raises RecordError where a file cannot be read."""
        paths = self._samples.paths_of(row)
        wanted = spread(len(paths), self._settings.frames) if self._samples.modality is Modality.VIDEO else [frame]
        if self._packed is not None:
            views = self._packed.read(self._samples.clip_ids[row], int(self._samples.shards[row]), wanted)
        else:
            views = self.files([paths[index] for index in wanted], self._samples.depth_kinds[row])
        values: np.ndarray = views if self._samples.modality is Modality.VIDEO else views[0]
        return values

    def files(self, paths: list[str], depth_kind: str | None) -> np.ndarray:
        """(n, 3, h, w): all of these files."""
        from vidal.train import inputs

        modality, side = self._samples.modality, self._settings.side
        with contextlib.ExitStack() as stack:
            local = [stack.enter_context(self._storage.local(path)) for path in paths]
            if modality is Modality.DEPTH:
                return np.stack([inputs.read_depth(path, side, depth_kind) for path in local])
            if modality is Modality.AUDIO:
                return np.stack([inputs.read_sound(path, self._settings.fbank) for path in local])
            return np.stack([inputs.read_image(path, side) for path in local])


def spread(count: int, wanted: int) -> list[int]:
    """Indices of `wanted` frames, evenly from the first to the last of `count`; some twice where there are fewer."""
    return [round(place) for place in np.linspace(0, count - 1, wanted)]
