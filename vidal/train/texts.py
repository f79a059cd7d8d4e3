"""Features of the frozen language tower, computed once for each text and stored with the dataset. No training step waits for them."""

from __future__ import annotations

import hashlib
import io
from typing import Any

import numpy as np
import numpy.typing as npt

from vidal import ids
from vidal.media.arrays import Float32Array
from vidal.storage import layout
from vidal.storage.storage import Storage
from vidal.train.towers import LanguageTower

CHUNK = 4096  # Texts in a file. An interruption loses the work of at most one file.
_KEY = np.dtype("V16")  # The first 16 bytes of the SHA-256 of a text.
_Keys = npt.NDArray[np.void]


class TextFeatures:
    """The features of texts by one language tower, stored under _cache/text_features/TOWER/.

    Several processes may write there: files are written atomically, and the same texts give the same bytes.
    """

    def __init__(self, storage: Storage, tower: LanguageTower):
        self._storage, self._tower = storage, tower
        self._folder = f"{layout.TEXT_FEATURES}/{ids.fingerprint([tower.identity, tower.width])[:16]}"

    def compute(self, texts: list[str]) -> Float32Array:
        """Returns (n, width) float32, L2-normalised. Features that are not stored yet are computed and stored first."""
        keys = _keys(texts)
        missing = np.flatnonzero(~np.isin(keys, self._stored_keys()))
        # Texts of similar length need little padding.
        missing = missing[np.argsort([len(texts[i]) for i in missing], kind="stable")]
        for start in range(0, len(missing), CHUNK):
            chunk = missing[start : start + CHUNK]
            self._write(keys[chunk], self._encode([texts[i] for i in chunk]))
        return self._read(keys)

    def _encode(self, texts: list[str]) -> Float32Array:
        return np.asarray(self._tower.encode(texts), np.float32)

    def _write(self, keys: _Keys, features: Float32Array) -> None:
        order = np.argsort(keys)
        keys, features = keys[order], features[order]
        name = f"{self._folder}/{ids.sha256(keys.tobytes())[:16]}"
        self._storage.write(f"{name}.features.npy", _npy(features))
        self._storage.write(f"{name}.keys.npy", _npy(keys))  # Written last, so that keys that exist have features.

    def _names(self) -> list[str]:
        return [
            name.removesuffix(".keys.npy") for name in self._storage.names(self._folder) if name.endswith(".keys.npy")
        ]

    def _stored_keys(self) -> _Keys:
        segments = [self._open(f"{name}.keys.npy") for name in self._names()]
        return np.concatenate(segments) if segments else np.zeros(0, _KEY)

    def _read(self, keys: _Keys) -> Float32Array:
        features = np.zeros((len(keys), self._tower.width), np.float32)
        for name in self._names():
            stored = self._open(f"{name}.keys.npy")
            places = np.searchsorted(stored, keys).clip(max=len(stored) - 1)
            hits = np.flatnonzero(stored[places] == keys)
            features[hits] = self._open(f"{name}.features.npy")[places[hits]]
        return features

    def _open(self, name: str) -> npt.NDArray[Any]:
        path = f"{self._folder}/{name}"
        if self._storage.is_local:
            mapped: npt.NDArray[Any] = np.load(self._storage.path(path), mmap_mode="r")
            return mapped
        values: npt.NDArray[Any] = np.load(io.BytesIO(self._storage.read(path)))
        return values


def _keys(texts: list[str]) -> _Keys:
    return np.array([hashlib.sha256(text.encode()).digest()[:16] for text in texts], _KEY)


def _npy(array: npt.NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()
