"""Computes fingerprints of sounds with ffmpeg's Chromaprint (the algorithm of AcoustID), and compares two fingerprints to find copies.

A value of a fingerprint covers 0.124 s. The share of differing bits was measured on 37 recordings of all sorts. It is at most 7 % between
a recording and its copy, and at least 22 % between two different recordings. The copies were encoded as MP3 or AAC at 48 to 64 kbit/s,
half as loud, at 11 kHz, or half a second shorter.
"""

from __future__ import annotations

import subprocess
from functools import lru_cache
from pathlib import Path

import numpy as np

from vidal.errors import RecordError
from vidal.media.arrays import UInt32Array
from vidal.media.ffmpeg import INPUT_LIMITS, executable, execute

# Less than a second of values, or values that hardly change (silence), cannot identify a recording.
VALUES_MIN, DISTINCT_MIN = 8, 4


@lru_cache(maxsize=1)
def is_available() -> bool:
    """Returns whether the ffmpeg of imageio-ffmpeg was built with Chromaprint."""
    done = subprocess.run([executable(), "-hide_banner", "-muxers"], capture_output=True, text=True, check=False)
    return " chromaprint " in done.stdout


def fingerprint(path: Path) -> UInt32Array:
    """Returns (n,) uint32, one value for each 0.124 s of a local file's first sound track.

    The result is empty if the track is too short or silent, does not decode, or does not exist.
    """
    limits = [argument for name, value in INPUT_LIMITS.items() for argument in (f"-{name}", value)]
    try:
        data = execute([*limits, "-i", str(path), "-map", "0:a:0", "-f", "chromaprint", "-fp_format", "raw", "-"])
    except RecordError:
        data = b""
    values: UInt32Array = np.frombuffer(data[: len(data) // 4 * 4], "<u4")
    return values if len(values) >= VALUES_MIN and len(np.unique(values)) >= DISTINCT_MIN else values[:0]


def difference(own: UInt32Array, other: UInt32Array, offset: int, overlap_min: float) -> float:
    """Returns the share of differing bits, 0..1, with own[i] aligned to other[i + offset]; 1 if the overlap is too short.

    own, other: (n,) uint32 fingerprints. overlap_min: the share of the shorter fingerprint that must overlap the other, 0..1.
    """
    first, last = max(0, -offset), min(len(own), len(other) - offset)
    if last - first < max(VALUES_MIN, overlap_min * min(len(own), len(other))):
        return 1.0
    bits = np.bitwise_count(own[first:last] ^ other[first + offset : last + offset])
    return float(bits.mean()) / 32
