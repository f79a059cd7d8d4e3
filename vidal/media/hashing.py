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
from scipy.fft import dctn

from vidal.media.arrays import Float64Array, UInt8Array, UInt64Array

# Shares of the sides: the whole frame, and its middle with 95 % and 90 % of the sides. A cropped copy is the middle of the original.
MIDDLES = (1.0, 0.95, 0.9)
THUMB = 16
# In grey levels, 0..255. A clip that moves less counts as still, because its changes are noise of the encoding. Then only the hashes
# decide, and they must be at most STILL_DISTANCE bits apart.
STILL = 1.5
STILL_DISTANCE = 4.0
_HASH_SIDE = 8  # A hash has a bit for each of the lowest 8 x 8 waves.
_RECORD = THUMB * THUMB + 8 * len(MIDDLES)  # Bytes of a frame in a stored signature.


def phash(frames: list[Image.Image]) -> str:
    """Returns the DCT hash (64 bits) of every frame, in hexadecimal digits joined by '-', in the order of the frames."""
    return "-".join(str(imagehash.phash(frame)) for frame in frames)


@dataclass(frozen=True)
class Signature:
    """The hashes and thumbnails of a clip's frames, which are stored so that copies of the clip can be found.

    hashes: (variants, frames) uint64. The first variant is the whole frame; the others are its middle parts, see MIDDLES.
    thumbs: (frames, 256) uint8, luma of 16 x 16 pixels.
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
    """Returns the distance in bits between the two clips of each of m pairs, (m,) float64.

    own: the hashes of the first clip of each pair, (m, v, n) uint64. Each of the n frames has v hashes: the first of the whole frame, the
    others of its middle parts. others: the same for the second clips.

    The distance between two frames is the smallest distance between their hashes; a middle part is only compared with whole frames. For
    each frame of one clip, the distance to the nearest frame of the other clip is computed. The median of these distances is the distance
    from this clip to the other. The result is the larger of the distances in both directions.
    """
    one, two = (
        np.ascontiguousarray(side.transpose(1, 2, 0)) for side in (own, others)
    )  # Pairs last: three times as fast.
    nearest: UInt8Array | None = None
    # A cropped frame is only compared with whole frames.
    for variant, other in [(0, k) for k in range(len(two))] + [(k, 0) for k in range(1, len(one))]:
        bits = np.bitwise_count(one[variant][:, None] ^ two[other][None])  # (n, n, m)
        nearest = bits if nearest is None else np.minimum(nearest, bits)
    assert nearest is not None, "no variant"
    values: Float64Array = np.maximum(np.median(nearest.min(1), axis=0), np.median(nearest.min(0), axis=0))
    return values


def motion_correlation(first: UInt8Array, second: UInt8Array) -> tuple[Float64Array, Float64Array]:
    """Returns two (m,) float64 arrays for m pairs of clips: how alike the two clips move, -1..1, and how much they move, 0..255.

    first, second: (m, n, 256) uint8, the thumbnails of the clips.

    Every frame of the first clip is correlated with the frame of the second clip at the same index, and with the frames next to that.
    The largest of these correlations counts. The first array is the mean over the frames of the first clip.

    How much a clip moves is the RMS difference from its mean picture, in grey levels. The second array is the smaller value of the two
    clips.
    """
    one, two = _movement(first), _movement(second)
    cosines = _unit(one) @ _unit(two).swapaxes(1, 2)
    places = np.arange(first.shape[1])
    is_near = np.abs(places[:, None] - places) <= 1
    alike: Float64Array = np.where(is_near, cosines, -np.inf).max(2).mean(1)
    return alike, np.minimum(_strength(one), _strength(two))


def motion_hashes(thumbs: UInt8Array) -> UInt64Array:
    """Returns a DCT hash of the motion in each frame, (m, n) uint64; 0 for all frames of a clip that stands still.

    thumbs: (m, n, 256) uint8, n frames of each of m clips. A frame is 16 x 16 grey pixels in one row.
    The motion in a frame is its difference from the mean picture of its clip. So a logo, which stands still, does not change the hash.
    """
    moved = _movement(thumbs)
    pixels = moved.reshape(*moved.shape[:2], THUMB, THUMB)
    waves = dctn(pixels, axes=(2, 3), norm="ortho")[..., :_HASH_SIDE, :_HASH_SIDE].reshape(*moved.shape[:2], -1)
    bits = (waves > np.median(waves, axis=2, keepdims=True)).astype(np.uint64)
    hashes: UInt64Array = (bits << np.arange(_HASH_SIDE**2, dtype=np.uint64)).sum(2, dtype=np.uint64)
    hashes[_strength(moved) < STILL] = 0
    return hashes


def _movement(thumbs: UInt8Array) -> Float64Array:
    """Subtracts from each thumbnail the mean picture of its clip. thumbs and result: (clips, frames, 256 pixels)."""
    pixels = thumbs.astype(np.float64)
    values: Float64Array = pixels - pixels.mean(1, keepdims=True)
    return values


def _strength(moved: Float64Array) -> Float64Array:
    values: Float64Array = np.sqrt((moved**2).mean((1, 2)))
    return values


def _unit(rows: Float64Array) -> Float64Array:
    values: Float64Array = rows / np.maximum(np.linalg.norm(rows, axis=2, keepdims=True), 1e-6)
    return values
