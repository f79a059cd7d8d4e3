"""Decodes pictures and sounds once into memory-mapped arrays, so that no training step waits for a decoder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vidal import ids
from vidal.errors import RecordError, UserError
from vidal.schema import Reason
from vidal.storage import layout
from vidal.storage.atomic_file import written_aside
from vidal.storage.storage import Storage
from vidal.train.inputs import ModelInput
from vidal.train.reading import Reader
from vidal.train.settings import Encoder, Modality, Train
from vidal.train.training_samples import IntArray, TrainingSamples, read_samples

# The version of the readers in inputs.py. Raise it by one with any change to their output, so that datasets are packed again.
VERSION = 3


@dataclass(frozen=True)
class Packed:
    """The result of packing one modality.

    clips: how many clips this call tried to pack. unreadable: how many of these could not be read. kept: how many clips are in shards
    that had already been packed.
    """

    modality: str
    clips: int
    unreadable: int
    kept: int


class Pack:
    """The packed arrays of one modality: for each shard, a file of the frames or sounds of all clips, and an index of the clips in it."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._open: dict[int, tuple[ModelInput, dict[str, list[int]]]] = {}

    def read(self, clip_id: str, shard: int, frames: list[int]) -> ModelInput:
        """Returns the arrays of n frames of a clip, or the array of its sound.

        Frames have the shape (n, 3, h, w), frames of depth (n, 1, h, w), and a sound (1, 3, mel bins, time).

        frames: the numbers of the frames in the clip, counted from 0; [0] for a sound.

        Raises RecordError if the clip's media could not be read when the dataset was packed.
        """
        if shard not in self._open:
            index = json.loads((self._folder / f"{layout.shard_name(shard)}.json").read_text(encoding="utf-8"))
            self._open[shard] = (
                np.load(self._folder / f"{layout.shard_name(shard)}.npy", mmap_mode="r"),
                index["clips"],
            )
        array, clips = self._open[shard]
        first, count = clips[clip_id]
        if not count:
            raise RecordError(Reason.CORRUPT, f"{clip_id} could not be read when the dataset was packed")
        return np.asarray(array[[first + frame for frame in frames]])

    def __getstate__(self) -> dict[str, object]:
        return {"_folder": self._folder, "_open": {}}  # Each worker of the loader opens the files again.


def find(storage: Storage, samples: TrainingSamples, settings: Encoder) -> Pack | None:
    """Returns the packed arrays of samples, or None if they cannot be used.

    They can be used if all samples were packed with these settings and their shards have not changed since. They cannot be used for a
    remote dataset, or for random crops, because packed pictures are already cropped.
    """
    if not storage.is_local or settings.random_crop:
        return None
    folder = _folder(storage, samples.modality, settings)
    shards = [int(shard) for shard in np.unique(samples.shards)]
    return Pack(folder) if all(_holds(storage, folder, samples, shard) for shard in shards) else None


def _holds(storage: Storage, folder: Path, samples: TrainingSamples, shard: int) -> bool:
    """Returns whether all samples of a shard are packed, and the shard has not changed since."""
    index = folder / f"{layout.shard_name(shard)}.json"
    if not index.is_file():
        return False
    stored = json.loads(index.read_text(encoding="utf-8"))
    wanted = {samples.clip_ids[row] for row in np.flatnonzero(samples.shards == shard)}
    return bool(stored["manifest"] == _manifest(storage, shard)) and wanted <= stored["clips"].keys()


def pack(storage: Storage, settings: Train) -> Iterator[Packed]:
    """Packs the files that the modalities of the recipe read. Shards that are already packed are skipped.

    Yields one result for each modality, with one exception: video and image with the same `side` read the same frames, which are packed
    once and give a single result.

    Raises UserError for a dataset that is not local.
    """
    if not storage.is_local:
        raise UserError(
            f"{storage.uri}: only a local dataset can be packed, because packed arrays are memory-mapped: copy or mount it"
        )
    done: dict[Path, Packed] = {}
    for modality, encoder in settings.modalities.items():
        folder = _folder(storage, modality, encoder)
        if folder not in done:  # Video and image read the same frames.
            done[folder] = _pack(storage, read_samples(storage, modality, settings), encoder, folder)
            yield done[folder]


def _pack(storage: Storage, samples: TrainingSamples, settings: Encoder, folder: Path) -> Packed:
    reader, clips, unreadable, kept = Reader(storage, samples, settings), 0, 0, 0
    for shard in np.unique(samples.shards):
        rows = np.flatnonzero(samples.shards == shard)
        name, manifest = layout.shard_name(int(shard)), _manifest(storage, int(shard))
        index = folder / f"{name}.json"
        if _holds(storage, folder, samples, int(shard)):
            kept += len(rows)
            continue
        places = _write(folder / f"{name}.npy", samples, reader, rows)
        with written_aside(index) as aside:
            aside.write_text(json.dumps({"manifest": manifest, "clips": places}), encoding="utf-8")
        clips += len(rows)
        unreadable += sum(not count for _, count in places.values())
    return Packed(samples.modality.value, clips, unreadable, kept)


def _write(path: Path, samples: TrainingSamples, reader: Reader, rows: IntArray) -> dict[str, list[int]]:
    """Writes the pictures or sounds of a shard into one array in the file `path`. Holds only one clip at a time in memory.

    rows: the indices of the shard's samples. Returns {clip_id: [index of the clip's first item in the array, number of items]}. An item
    is one picture or one sound. The number is 0 for a clip that could not be read.
    """
    places: dict[str, list[int]] = {}
    total, array, first = int(sum(len(samples.paths[int(row)]) for row in rows)), None, 0
    with written_aside(path) as aside:
        for row in map(int, rows):
            try:
                items = reader.read_files(samples.paths_of(row), samples.depth_kinds[row])
            except RecordError:
                places[samples.clip_ids[row]] = [first, 0]
                continue
            if array is None:
                array = np.lib.format.open_memmap(aside, "w+", items.dtype, (total, *items.shape[1:]))
            array[first : first + len(items)] = items
            places[samples.clip_ids[row]] = [first, len(items)]
            first += len(items)
        if array is None:  # No clip could be read.
            with aside.open("wb") as file:
                np.save(file, np.zeros(0))
        else:
            array.flush()
    return places


def _folder(storage: Storage, modality: Modality, settings: Encoder) -> Path:
    kind = {Modality.VIDEO: "frames", Modality.IMAGE: "frames"}.get(modality, modality.value)
    form = settings.fbank.model_dump() if modality is Modality.AUDIO else settings.side
    return Path(storage.path(layout.PACKED)) / f"{kind}-{ids.fingerprint([kind, form, VERSION])[:8]}"


def _manifest(storage: Storage, shard: int) -> str:
    """Returns the SHA-256 of the manifest of a shard, which is its table of clips. It shows whether the shard has changed."""
    return ids.sha256(storage.read(layout.manifest(shard)))
