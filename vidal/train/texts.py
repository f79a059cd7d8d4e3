"""Features of the frozen language tower, computed once for each text of a shard and stored with the dataset.

A segment is a pair of files for texts of one shard: the keys of the texts, sorted, and a row of float16 features for each key. Segments
are memory-mapped, so that all processes of a machine share one copy of them, and a process loads only the rows that it reads. A new
shard gets its own segments; existing segments are never rewritten.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch

from vidal import ids
from vidal.storage import layout, machine_cache, scratch
from vidal.storage.storage import Storage
from vidal.train.towers import LanguageTower
from vidal.train.training_samples import Captions, IntArray

SEGMENT = 131_072  # Largest number of texts in a segment. An interruption loses the work on at most one segment.
_CALL = 4096  # Texts that the tower gets at a time, of similar length.
_KEY = np.dtype("V16")  # The first 16 bytes of the SHA-256 of a text.
_Keys = npt.NDArray[np.void]
Float16Array = npt.NDArray[np.float16]


@dataclass(frozen=True)
class Segment:
    """The features of texts of one shard. keys: (n,), sorted. features: (n, width) float16. Both are memory-mapped."""

    keys: _Keys
    features: Float16Array

    def find(self, keys: _Keys) -> tuple[IntArray, IntArray]:
        """Looks up keys. Returns (indices, rows): which of the keys the segment has, and the rows of these keys in `features`."""
        rows = np.searchsorted(self.keys, keys).clip(max=len(self.keys) - 1)
        places = np.flatnonzero(self.keys[rows] == keys)
        return places, rows[places]


class TextTable:
    """The features of the distinct texts of a dataset, by the index of the text. An access reads only the features that it returns."""

    def __init__(self, captions: Captions, segments: dict[int, list[Segment]], width: int):
        """segments: the stored features of each shard's texts, by the number of the shard. width: the length of a feature vector."""
        self._captions, self._segments, self.width = captions, segments, width

    def __len__(self) -> int:
        return len(self._captions.distinct)

    def __getitem__(self, texts: IntArray | torch.Tensor) -> torch.Tensor:
        """Returns the features of texts, (n, width) float32, L2-normalised. texts: (n,), their indices among the distinct texts."""
        indices = np.asarray(texts, np.int64)
        keys = _keys(self._captions.distinct.take(pa.array(indices)))
        features = torch.zeros(len(indices), self.width)
        shards = self._captions.shards[indices]
        for shard in np.unique(shards):
            mine = np.flatnonzero(shards == shard)
            for segment in self._segments[int(shard)]:
                places, rows = segment.find(keys[mine])
                features[mine[places]] = torch.from_numpy(segment.features[rows].astype(np.float32))
        return torch.nn.functional.normalize(features, dim=-1)


class TextFeatures:
    """The features of texts by one language tower, stored under _cache/text_features/TOWER/.

    TOWER is a hash that changes with the tower's weights. For each shard and set of texts, a JSON file names the segments that hold the
    features. Several processes may write there: files are written atomically, and the name of a segment depends only on its texts.
    """

    def __init__(self, storage: Storage, tower: LanguageTower):
        self._storage, self._tower = storage, tower
        self._folder = f"{layout.TEXT_FEATURES}/{ids.fingerprint([tower.identity, tower.width])[:16]}"

    def compute(self, captions: Captions) -> TextTable:
        """Returns the features of the distinct texts of captions. Those that are not stored yet are computed and stored first."""
        segments: dict[int, list[Segment]] = {}
        for shard, texts in _by_shard(captions):
            name = f"{self._folder}/{layout.shard_name(shard)}.{_digest(texts)}.json"
            listed = self._storage.read_if_present(name)
            if listed is None:
                listed = json.dumps(self._complete(shard, texts)).encode()
                self._storage.write(name, listed)
            segments[shard] = [self._open(each) for each in json.loads(listed)]
        return TextTable(captions, segments, self._tower.width)

    def _complete(self, shard: int, texts: pa.Array) -> list[str]:
        """Encodes and stores those texts whose features are not stored yet.

        Returns the names of the segments (pairs of files) that together hold the features of all texts.
        """
        prefix, ending = f"{layout.shard_name(shard)}.", ".keys.npy"
        stored = [
            name.removesuffix(ending)
            for name in self._storage.names(self._folder)
            if name.startswith(prefix) and name.endswith(ending)
        ]
        keys, used = _keys(texts), []
        missing = np.ones(len(keys), bool)
        for name in stored:
            places, _ = self._open(name).find(keys)
            if missing[places].any():
                used.append(name)
                missing[places] = False
        rows = np.flatnonzero(missing)
        rows = rows[np.argsort(keys[rows])]
        chunks = [rows[start : start + SEGMENT] for start in range(0, len(rows), SEGMENT)]
        return [*used, *(self._write(prefix, keys[chunk], texts.take(pa.array(chunk))) for chunk in chunks)]

    def _write(self, prefix: str, keys: _Keys, texts: pa.Array) -> str:
        """Computes the features of texts, writes them and the keys of the texts as a segment, and returns its name.

        prefix: the beginning of the name. keys: sorted. texts: in the order of the keys.
        """
        name = f"{prefix}{ids.sha256(keys.tobytes())[:16]}"
        with scratch.folder("texts") as folder:
            path = folder / "features.npy"
            features = np.lib.format.open_memmap(path, "w+", np.float16, (len(keys), self._tower.width))
            for chunk in _similar_lengths(texts):
                features[chunk] = self._tower.encode(texts.take(pa.array(chunk)).to_pylist()).numpy()
            features.flush()
            self._storage.put(path, f"{self._folder}/{name}.features.npy")
        buffer = io.BytesIO()
        np.save(buffer, keys)
        # The keys are written last: if they exist, their features exist too.
        self._storage.write(f"{self._folder}/{name}.keys.npy", buffer.getvalue())
        return name

    def _open(self, name: str) -> Segment:
        """Opens a segment of text features by its name. A segment of a remote dataset is first copied to the cache of this machine."""
        if self._storage.is_local:
            return Segment(*(_mapped(Path(self._storage.path(f"{self._folder}/{name}{end}"))) for end in _ENDINGS))

        def fetch(folder: Path) -> None:
            for end in _ENDINGS:
                self._storage.fetch(f"{self._folder}/{name}{end}", folder / f"segment{end}")

        digest = ids.fingerprint([self._storage.uri, self._folder, name])[:24]
        folder = machine_cache.folder(f"text-features-{digest}", fetch)
        return Segment(*(_mapped(folder / f"segment{end}") for end in _ENDINGS))


_ENDINGS = (".keys.npy", ".features.npy")


def _mapped(path: Path) -> npt.NDArray[Any]:
    array: npt.NDArray[Any] = np.load(path, mmap_mode="r")
    return array


def _by_shard(captions: Captions) -> Iterator[tuple[int, pa.Array]]:
    """Yields (number of a shard, its distinct texts). A text that is in several shards is yielded only with the lowest number."""
    order = np.argsort(captions.shards, kind="stable")
    shards, starts = np.unique(captions.shards[order], return_index=True)
    for shard, rows in zip(shards, np.split(order, starts[1:]), strict=True):
        yield int(shard), captions.distinct.take(pa.array(rows))


def _digest(texts: pa.Array) -> str:
    """Returns a hash of the texts in their order. It is computed from the Arrow buffers, which is faster than a loop over the texts."""
    digest = hashlib.sha256()
    for buffer in texts.buffers()[1:]:
        digest.update(memoryview(buffer))
    return digest.hexdigest()[:16]


def _keys(texts: pa.Array) -> _Keys:
    return np.array([hashlib.sha256(text.encode()).digest()[:16] for text in texts.to_pylist()], _KEY)


def _similar_lengths(texts: pa.Array) -> Iterator[IntArray]:
    """Yields the indices of at most _CALL texts at a time. Texts of similar length come together, so that they need little padding."""
    order = np.argsort([len(text) for text in texts.to_pylist()], kind="stable")
    yield from (order[start : start + _CALL] for start in range(0, len(order), _CALL))
