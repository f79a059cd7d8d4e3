"""Signatures of synthetic clips: smooth moving pictures, hashed as real frames are, and copies that differ as real ones do.

A picture is a sum of 12 x 12 waves whose amplitude falls with their frequency as in photographs (1/f, Field 1987); over the frames
of a clip the waves wander. A copy takes a measured difference: that between a shared clip and a copy of it, made as for
benchmarks.duplicates_table, is applied to the hashes and thumbnails of a synthetic clip.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.fft import dct, idct

from benchmarks.duplicates_table import SETTINGS, originals, signature
from tests.conftest import SHARED
from tests.support.copies import COPIES, make
from vidal.dedup.compare import compare, signed
from vidal.media.hashing import MIDDLES, THUMB, Signature

FRAMES, SIDE, WAVES, HASHED = 8, 40, 12, 32
_PIECE = 1000
# An audio clip of 20 s; a copy of it differs in up to 7 % of the bits (tests/dedup/test_sound_copies.py).
SOUND_VALUES, SOUND_DIFFERENCE = 160, 0.07


@dataclass(frozen=True)
class Difference:
    """Between a clip and a copy of it. hashes: (3, 8) uint64, the bits that differ. thumbs: (8, 256) int16, in levels."""

    hashes: np.ndarray
    thumbs: np.ndarray


def differences(store: Path) -> list[Difference]:
    """The differences of all copies of the shared clips that all pairs find. It takes minutes, so they are stored."""
    if store.is_file():
        with np.load(store) as stored:
            return [Difference(*pair) for pair in zip(stored["hashes"], stored["thumbs"], strict=True)]
    with ThreadPoolExecutor(2) as threads:  # The work is ffmpeg's.
        copies = [each for many in threads.map(_differences, originals(SHARED / "videos")) for each in many]
    np.savez(
        store, hashes=np.stack([each.hashes for each in copies]), thumbs=np.stack([each.thumbs for each in copies])
    )
    return copies


def _differences(path: Path) -> list[Difference]:
    copies, own = [], signature(path)
    for kind in COPIES:
        with tempfile.TemporaryDirectory() as folder:
            copy = signature(make(path, Path(folder) / "copy.mp4", kind))
        if len(compare(signed([copy], 1), signed([own]), SETTINGS, indexed=False)):
            one, two = (Signature.from_bytes(each["signature"] or b"") for each in (own, copy))
            copies.append(Difference(one.hashes ^ two.hashes, two.thumbs.astype(np.int16) - one.thumbs))
    return copies


def films(rng: np.random.Generator, count: int) -> list[Signature]:
    """Signatures of different clips."""
    return [each for start in range(0, count, _PIECE) for each in _films(rng, min(_PIECE, count - start))]


def _films(rng: np.random.Generator, count: int) -> list[Signature]:
    y, x = np.mgrid[:WAVES, :WAVES]
    strength = 1 / (1 + y**2 + x**2) ** 0.5
    wave = rng.standard_normal((count, 1, WAVES, WAVES)) * strength
    moving = np.empty((count, FRAMES, WAVES, WAVES))
    moving[:, 0] = rng.standard_normal((count, WAVES, WAVES))
    for frame in range(1, FRAMES):
        moving[:, frame] = 0.7 * moving[:, frame - 1] + 0.71 * rng.standard_normal((count, WAVES, WAVES))
    waves = wave + rng.uniform(0.05, 0.8, (count, 1, 1, 1)) * moving * strength
    basis = idct(np.eye(SIDE)[:WAVES], axis=1, norm="ortho") * SIDE**0.5
    pixels = (np.float32(128) + 40 * (basis.T @ waves @ basis)).clip(0, 255).astype(np.float32)
    hashes = np.stack([_hashes(pixels, part) for part in MIDDLES], 1)
    thumbs = _resized(pixels, 1.0, THUMB).round().astype(np.uint8).reshape(count, FRAMES, -1)
    return [Signature(*each) for each in zip(hashes, thumbs, strict=True)]


def _hashes(pixels: np.ndarray, part: float) -> np.ndarray:
    """(n, frames) uint64, the bits of imagehash.phash."""
    small = _resized(pixels, part, HASHED)
    low = dct(dct(small, axis=2)[:, :, :8], axis=3)[..., :8].reshape(*pixels.shape[:2], 64)
    bits = (low > np.median(low, axis=2, keepdims=True)).astype(np.uint64)
    return (bits << np.arange(63, -1, -1, dtype=np.uint64)).sum(2, dtype=np.uint64)


def _resized(pixels: np.ndarray, part: float, side: int) -> np.ndarray:
    """The middle of pictures with this share of the sides, resized by linear interpolation."""
    places = SIDE * (1 - part) / 2 + (np.arange(side) + 0.5) * SIDE * part / side - 0.5
    weights = np.maximum(0, 1 - np.abs(places[:, None] - np.arange(SIDE))).astype(np.float32)
    weights /= weights.sum(1, keepdims=True)
    return weights @ pixels @ weights.T


def film_copy(rng: np.random.Generator, original: Signature, known: Sequence[Difference]) -> Signature:
    change = known[rng.integers(len(known))]
    thumbs = (original.thumbs.astype(np.int16) + change.thumbs).clip(0, 255).astype(np.uint8)
    return Signature(original.hashes ^ change.hashes, thumbs)


def sound(rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, 2**32, SOUND_VALUES, np.uint32)


def sound_copy(rng: np.random.Generator, original: np.ndarray) -> np.ndarray:
    flipped = rng.random((len(original), 32)) < rng.uniform(0, SOUND_DIFFERENCE)
    return original ^ (flipped.astype(np.uint32) << np.arange(32, dtype=np.uint32)).sum(1, dtype=np.uint32)
