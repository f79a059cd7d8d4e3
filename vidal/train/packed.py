"""Decodes pictures and sounds once into memory-mapped arrays, so that a training step waits for no decoder."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vidal import ids
from vidal.errors import RecordError, UserError
from vidal.storage.storage import Storage, shard_name
from vidal.train.reading import Reader
from vidal.train.settings import Encoder, Modality, Train
from vidal.train.training_samples import TrainingSamples, read_samples

FOLDER = "_packed"


@dataclass(frozen=True)
class Packed:
    """clips: packed now; unreadable: that could not be; kept: that had been packed before."""

    modality: str
    clips: int
    unreadable: int
    kept: int


class Pack:
    """Arrays of one modality: for each shard one file of all its frames, and an index of where a clip's begin."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._open: dict[int, tuple[np.ndarray, dict[str, list[int]]]] = {}

    def read(self, clip_id: str, shard: int, frames: list[int]) -> np.ndarray:
        """(n, 3, h, w) of these frames. Raises RecordError for a clip that could not be read when the dataset was packed."""
        if shard not in self._open:
            index = json.loads((self._folder / f"{shard_name(shard)}.json").read_text(encoding="utf-8"))
            self._open[shard] = (np.load(self._folder / f"{shard_name(shard)}.npy", mmap_mode="r"), index["clips"])
        array, clips = self._open[shard]
        first, count = clips[clip_id]
        if not count:
            from vidal.schema import Reason

            raise RecordError(Reason.CORRUPT, f"{clip_id} could not be read when the dataset was packed")
        return np.asarray(array[[first + frame for frame in frames]])

    def __getstate__(self) -> dict[str, object]:
        return {"_folder": self._folder, "_open": {}}  # A worker opens the files itself.


def find(storage: Storage, samples: TrainingSamples, settings: Encoder) -> Pack | None:
    """The pack of these records, if all their shards have been packed as they are now and with these settings."""
    if not storage.is_local:
        return None
    folder = _folder(storage, samples.modality, settings)
    for shard in np.unique(samples.shards):
        index = folder / f"{shard_name(int(shard))}.json"
        if not index.is_file() or json.loads(index.read_text(encoding="utf-8"))["manifest"] != _manifest(
            storage, int(shard)
        ):
            return None
    return Pack(folder)


def pack(storage: Storage, settings: Train) -> Iterator[Packed]:
    """Packs what the modalities of the recipe read. Shards that were packed before are skipped.

    Raises UserError for a dataset that is not local.
    """
    if not storage.is_local:
        raise UserError(f"{storage.uri}: packed arrays are memory-mapped, so they need a local or mounted dataset")
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
        name, manifest = shard_name(int(shard)), _manifest(storage, int(shard))
        index = folder / f"{name}.json"
        if index.is_file() and json.loads(index.read_text(encoding="utf-8"))["manifest"] == manifest:
            kept += len(rows)
            continue
        places = _write(folder / f"{name}.npy", samples, reader, rows)
        _commit(index, json.dumps({"manifest": manifest, "clips": places}).encode())
        clips += len(rows)
        unreadable += sum(not count for _, count in places.values())
    return Packed(samples.modality.value, clips, unreadable, kept)


def _write(path: Path, samples: TrainingSamples, reader: Reader, rows: np.ndarray) -> dict[str, list[int]]:
    """Clip by clip into a file aside, so that memory holds one clip; the rename comes last."""
    places: dict[str, list[int]] = {}
    total, array, first = int(sum(len(samples.paths[int(row)]) for row in rows)), None, 0
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{uuid.uuid4().hex}.tmp")
    for row in map(int, rows):
        try:
            items = reader.files(samples.paths_of(row), samples.depth_kinds[row])
        except RecordError:
            places[samples.clip_ids[row]] = [first, 0]
            continue
        if array is None:
            array = np.lib.format.open_memmap(aside, "w+", items.dtype, (total, *items.shape[1:]))
        array[first : first + len(items)] = items
        places[samples.clip_ids[row]] = [first, len(items)]
        first += len(items)
    if array is None:
        np.save(aside, np.zeros(0))
        aside = aside.with_name(aside.name + ".npy")
    else:
        array.flush()
    os.replace(aside, path)
    return places


def _commit(path: Path, data: bytes) -> None:
    aside = path.with_name(f".{uuid.uuid4().hex}.tmp")
    aside.write_bytes(data)
    os.replace(aside, path)


def _folder(storage: Storage, modality: Modality, settings: Encoder) -> Path:
    read = {Modality.VIDEO: "frames", Modality.IMAGE: "frames"}.get(modality, modality.value)
    what = settings.fbank.model_dump() if modality is Modality.AUDIO else settings.side
    return Path(storage.path(FOLDER)) / f"{read}-{ids.fingerprint([read, what])[:8]}"


def _manifest(storage: Storage, shard: int) -> str:
    return ids.sha256(storage.read(f"{shard_name(shard)}.parquet"))
