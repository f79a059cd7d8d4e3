"""Perceptual hashes and signatures of a clip's frames, and whether two clips are copies of one film.

Hashes alone take two takes before the same wall for copies. So two clips must also move alike: what is left of their frames
without each clip's own mean picture must correlate. A logo stands still and falls out of that; a new encoding, size or speed
changes little of it; a crop is met by hashes of the frames' middles.
"""

from __future__ import annotations

from dataclasses import dataclass

import imagehash
import numpy as np
from PIL import Image

# The whole frame, and its middle with 5 and 10 % of the sides cut off: a copy's whole is the original's middle.
MIDDLES = (1.0, 0.95, 0.9)
THUMB = 16
# Levels of 255: below, a clip stands still and its changes are noise of the encoding. Then only the hashes can tell.
STILL = 1.5
STILL_DISTANCE = 4.0
_RECORD = THUMB * THUMB + 8 * len(MIDDLES)


def phash(frames: list[Image.Image]) -> str:
    """DCT hash (64 bits) of every frame, as hex joined by '-', in the order of the frames."""
    return "-".join(str(imagehash.phash(frame)) for frame in frames)


@dataclass(frozen=True)
class Signature:
    """hashes: (variants, frames) uint64; thumbs: (frames, 256) uint8 luma of 16 x 16."""

    hashes: np.ndarray
    thumbs: np.ndarray

    @classmethod
    def from_frames(cls, frames: list[Image.Image]) -> Signature:
        hashes = [[int(str(imagehash.phash(_middle(frame, part))), 16) for frame in frames] for part in MIDDLES]
        thumbs = [np.asarray(frame.convert("L").resize((THUMB, THUMB), Image.Resampling.BOX)) for frame in frames]
        return cls(np.array(hashes, np.uint64), np.stack(thumbs).reshape(len(frames), -1))

    def to_bytes(self) -> bytes:
        frames = zip(self.hashes.T, self.thumbs, strict=True)
        return b"".join(own.astype("<u8").tobytes() + thumb.tobytes() for own, thumb in frames)

    @classmethod
    def from_bytes(cls, data: bytes) -> Signature:
        records = np.frombuffer(data, np.uint8).reshape(-1, _RECORD)
        split = 8 * len(MIDDLES)
        return cls(np.ascontiguousarray(records[:, :split]).view("<u8").T, records[:, split:])


def _middle(frame: Image.Image, part: float) -> Image.Image:
    if part == 1.0:
        return frame
    x, y = round(frame.width * (1 - part) / 2), round(frame.height * (1 - part) / 2)
    return frame.crop((x, y, frame.width - x, frame.height - y))


def hash_distances(own: np.ndarray, others: np.ndarray) -> np.ndarray:
    """own: (v, n) uint64; others: (m, v, n) uint64. (m,) the median over frames of the distance to the nearest frame, in bits.

    Of two frames one must be whole. Of both directions the larger counts: every frame must have its like on either side.
    """
    whole = np.bitwise_count(own[0][None, :, None, None] ^ others[:, None, :, :]).min(2)
    cropped = np.bitwise_count(own[None, :, :, None] ^ others[:, 0][:, None, None, :]).min(1)
    nearest = np.minimum(whole, cropped)  # (m, n, n)
    values: np.ndarray = np.maximum(np.median(nearest.min(2), axis=1), np.median(nearest.min(1), axis=1))
    return values


def motion_correlation(first: Signature, second: Signature) -> tuple[float, float]:
    """How alike two clips move, -1..1: mean over frames of the best of the neighbouring frames; and the lesser movement in levels.

    Both must have the same number of frames.
    """
    one, two = _movement(first.thumbs), _movement(second.thumbs)
    cosines = _unit(one) @ _unit(two).T
    count = len(cosines)
    near = [cosines[i, max(0, i - 1) : i + 2].max() for i in range(count)]
    return float(np.mean(near)), float(min(np.sqrt((each**2).mean()) for each in (one, two)))


def _movement(thumbs: np.ndarray) -> np.ndarray:
    pixels = thumbs.astype(np.float64)
    values: np.ndarray = pixels - pixels.mean(0)
    return values


def _unit(rows: np.ndarray) -> np.ndarray:
    values: np.ndarray = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)
    return values
