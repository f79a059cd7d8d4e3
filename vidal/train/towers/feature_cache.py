"""Caches what a frozen trunk computes for a picture, so that the epochs after the first compute only the layers that are trained.

The key is a hash of the picture's bytes. On a CPU, the last bits of a result depend on the size of its batch, so each picture goes
through the trunk alone. A resumed run, which must compute its pictures again, then gets the same bits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import torch
from torch import Tensor

BYTES_MAX = 512 << 20


class FeatureCache:
    """Caches the features of pictures. compute: returns the features, (1, d), of a picture, (1, 3, h, w).

    Once BYTES_MAX bytes are stored, the features of further pictures are computed each time.
    """

    def __init__(self, compute: Callable[[Tensor], Tensor]):
        self._compute = compute
        self._stored: dict[bytes, Tensor] = {}

    def __call__(self, pixels: Tensor) -> Tensor:
        """Returns the features of pictures, (n, d), without gradients. pixels: (n, 3, h, w) float32 on the CPU."""
        return torch.cat([self._one(picture[None]) for picture in pixels])

    def _one(self, picture: Tensor) -> Tensor:
        key = hashlib.blake2b(picture.contiguous().numpy().tobytes(), digest_size=16).digest()
        features = self._stored.get(key)
        if features is None:
            with torch.no_grad():
                features = self._compute(picture)
            if len(self._stored) * features.nbytes < BYTES_MAX:
                self._stored[key] = features
        return features
