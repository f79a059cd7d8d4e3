"""Computes perceptual hashes and signatures of a clip's frames, and compares them to find copies of one video.

Hashes alone mistake two takes in front of the same wall for copies. So two clips must also move alike: their frames must correlate
after the clip's own mean picture is subtracted. The subtraction removes logos, which stand still, and the correlation survives
another encoding, size or speed. Hashes of the middles of the frames find cropped copies.
"""

from __future__ import annotations

from dataclasses import dataclass

import imagehash
import numpy as np
from PIL import Image

from vidal.media.arrays import Float64Array, UInt8Array, UInt64Array

# Shares of the sides: the whole frame, and its middle with 95 % and 90 % of the sides. A cropped copy is the middle of the original.
MIDDLES = (1.0, 0.95, 0.9)
THUMB = 16
# Levels of 255. A clip that moves less counts as still, because its changes are noise of the encoding. Then only the hashes decide,
# and they must be at most STILL_DISTANCE bits apart.
STILL = 1.5
STILL_DISTANCE = 4.0
_RECORD = THUMB * THUMB + 8 * len(MIDDLES)


def phash(frames: list[Image.Image]) -> str:
    """Returns the DCT hash (64 bits) of every frame, in hexadecimal digits joined by '-', in the order of the frames."""
    return "-".join(str(imagehash.phash(frame)) for frame in frames)


@dataclass(frozen=True)
class Signature:
    """The stored data of a clip's frames that find copies of the clip.

    hashes: (variants, frames) uint64, one variant for each of MIDDLES. thumbs: (frames, 256) uint8, luma of 16 x 16 pixels.
    """

    hashes: UInt64Array
    thumbs: UInt8Array

    @classmethod
    def from_frames(cls, frames: list[Image.Image]) -> Signature:
        hashes = [[int(str(imagehash.phash(_middle(frame, part))), 16) for frame in frames] for part in MIDDLES]
        thumbs = [np.asarray(frame.convert("L").resize((THUMB, THUMB), Image.Resampling.BOX)) for frame in frames]
        return cls(np.array(hashes, np.uint64), np.stack(thumbs).reshape(len(frames), -1))

    def to_bytes(self) -> bytes:
        """Returns the frames one after the other: for each its hashes in little-endian order, then its thumbnail."""
        frames = zip(self.hashes.T, self.thumbs, strict=True)
        return b"".join(own.astype("<u8").tobytes() + thumb.tobytes() for own, thumb in frames)

    @classmethod
    def from_bytes(cls, data: bytes) -> Signature:
        """Reads what to_bytes has written."""
        records = np.frombuffer(data, np.uint8).reshape(-1, _RECORD)
        split = 8 * len(MIDDLES)
        return cls(np.ascontiguousarray(records[:, :split]).view("<u8").T, records[:, split:])


def _middle(frame: Image.Image, part: float) -> Image.Image:
    if part == 1.0:
        return frame
    x, y = round(frame.width * (1 - part) / 2), round(frame.height * (1 - part) / 2)
    return frame.crop((x, y, frame.width - x, frame.height - y))


def hash_distances(own: UInt64Array, others: UInt64Array) -> Float64Array:
    """Returns (m,) float64: the median over frames of the distance in bits to the nearest frame of each of the m other clips.

    own: (v, n) uint64; others: (m, v, n) uint64. At least one of two compared frames is whole, so that a crop is compared with a
    whole frame. The larger of the two directions counts: every frame of either clip must be like a frame of the other.
    """
    whole = np.bitwise_count(own[0][None, :, None, None] ^ others[:, None, :, :]).min(2)
    cropped = np.bitwise_count(own[None, :, :, None] ^ others[:, 0][:, None, None, :]).min(1)
    nearest = np.minimum(whole, cropped)  # (m, n, n)
    values: Float64Array = np.maximum(np.median(nearest.min(2), axis=1), np.median(nearest.min(1), axis=1))
    return values


def motion_correlation(first: Signature, second: Signature) -> tuple[float, float]:
    """Returns how alike two clips move, -1..1, and the motion of the clip that moves less, in levels of 255.

    The first number is the mean, over frames, of the largest correlation with the frame at the same or a neighbouring place. Both
    clips must have the same number of frames.
    """
    one, two = _movement(first.thumbs), _movement(second.thumbs)
    cosines = _unit(one) @ _unit(two).T
    count = len(cosines)
    near = [cosines[i, max(0, i - 1) : i + 2].max() for i in range(count)]
    return float(np.mean(near)), float(min(np.sqrt((movement**2).mean()) for movement in (one, two)))


def _movement(thumbs: UInt8Array) -> Float64Array:
    pixels = thumbs.astype(np.float64)
    values: Float64Array = pixels - pixels.mean(0)
    return values


def _unit(rows: Float64Array) -> Float64Array:
    values: Float64Array = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)
    return values
