"""The frozen language tower's features, computed once for a text and kept with the dataset: a step costs the other encoder alone."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from vidal import ids
from vidal.storage.storage import Storage

CHUNK = 4096  # Texts a file: what an interruption may cost.
_KEY = np.dtype("V16")


class TextFeatures:
    """Features of texts, kept under _cache/text_features/TOWER/. Files are written whole: two writers give the same bytes twice."""

    def __init__(self, storage: Storage, tower: Any):
        self._storage, self._tower = storage, tower
        self._folder = f"_cache/text_features/{ids.fingerprint([tower.name, tower.revision, tower.width])[:16]}"

    def of(self, texts: list[str], progress: Callable[[Iterator[Any], int], Iterator[Any]] | None = None) -> np.ndarray:
        """(n, width) float32, L2-normalised. What is not kept yet is computed first. progress: wraps the chunks to compute."""
        keys = _keys(texts)
        missing = np.flatnonzero(~np.isin(keys, self._known()))
        # Those of one length need no padding, and a batch of short texts is cheap.
        missing = missing[np.argsort([len(texts[i]) for i in missing], kind="stable")]
        chunks = iter([missing[start : start + CHUNK] for start in range(0, len(missing), CHUNK)])
        for chunk in progress(chunks, -(-len(missing) // CHUNK)) if progress else chunks:
            self._write(keys[chunk], self._encode([texts[i] for i in chunk]))
        return self._read(keys)

    def _encode(self, texts: list[str]) -> np.ndarray:
        return np.asarray(self._tower.encode(texts), np.float32)

    def _write(self, keys: np.ndarray, features: np.ndarray) -> None:
        order = np.argsort(keys)
        keys, features = keys[order], features[order]
        name = f"{self._folder}/{ids.sha256(keys.tobytes())[:16]}"
        self._storage.write(f"{name}.features.npy", _npy(features))
        self._storage.write(f"{name}.keys.npy", _npy(keys))  # Last: keys that exist have features.

    def _files(self) -> list[str]:
        return [
            name.removesuffix(".keys.npy") for name in self._storage.names(self._folder) if name.endswith(".keys.npy")
        ]

    def _known(self) -> np.ndarray:
        segments = [self._open(f"{name}.keys.npy") for name in self._files()]
        return np.concatenate(segments) if segments else np.zeros(0, _KEY)

    def _read(self, keys: np.ndarray) -> np.ndarray:
        features = np.zeros((len(keys), self._tower.width), np.float32)
        for name in self._files():
            kept = self._open(f"{name}.keys.npy")
            places = np.searchsorted(kept, keys).clip(max=len(kept) - 1)
            hits = np.flatnonzero(kept[places] == keys)
            features[hits] = self._open(f"{name}.features.npy")[places[hits]]
        return features

    def _open(self, name: str) -> np.ndarray:
        path = f"{self._folder}/{name}"
        if self._storage.is_local:
            mapped: np.ndarray = np.load(self._storage.path(path), mmap_mode="r")
            return mapped
        values: np.ndarray = np.load(io.BytesIO(self._storage.read(path)))
        return values


def _keys(texts: list[str]) -> np.ndarray:
    return np.array([hashlib.sha256(text.encode()).digest()[:16] for text in texts], _KEY)


def _npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()
