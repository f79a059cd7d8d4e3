"""Measures loudness, peak, silence and clipping of a sound track: pure functions of mono samples, (n,) int16."""

from __future__ import annotations

import warnings

import numpy as np

from vidal.media.arrays import Int16Array
from vidal.media.sound import FLOOR_DB, FULL_SCALE

BLOCK_S = 0.05
# An overdriven converter stays at its limit for several samples; a single sample at the limit may be a true peak.
CLIPPED_RUN = 3
CLIPPED_AT = 32_700
# ITU-R BS.1770 integrates blocks of 0.4 s.
SHORTEST_S = 0.4


def lufs(samples: Int16Array, sample_rate: int) -> float | None:
    """Returns the integrated loudness in LUFS (ITU-R BS.1770-4, by pyloudnorm).

    Returns None if the sound is shorter than 0.4 s, or too quiet for the gates of the measurement.
    """
    import pyloudnorm

    if len(samples) < SHORTEST_S * sample_rate:
        return None
    with warnings.catch_warnings(), np.errstate(divide="ignore"):
        warnings.simplefilter("ignore")  # pyloudnorm warns about the logarithm of silence.
        loudness = float(pyloudnorm.Meter(sample_rate).integrated_loudness(samples.astype(np.float64) / FULL_SCALE))
    return loudness if np.isfinite(loudness) else None


def peak_db(samples: Int16Array) -> float:
    """Returns the level of the largest sample in dBFS; FLOOR_DB for digital silence."""
    peak = int(np.abs(samples.astype(np.int32)).max(initial=0))
    return max(FLOOR_DB, 20.0 * float(np.log10(peak / FULL_SCALE))) if peak else FLOOR_DB


def silence_share(samples: Int16Array, sample_rate: int, silence_db: float) -> float:
    """Returns the share, 0..1, of blocks of 50 ms whose RMS level is below silence_db (dBFS)."""
    size = max(1, round(BLOCK_S * sample_rate))
    blocks = np.array_split(samples, max(1, len(samples) // size))
    power = np.array([np.mean((block.astype(np.float32) / FULL_SCALE) ** 2) for block in blocks])
    return float(np.mean(power < 10 ** (silence_db / 10)))


def clipping_share(samples: Int16Array) -> float:
    """Returns the share, 0..1, of samples that lie in runs of three or more samples at the limit of 16 bits (CLIPPED_AT or more)."""
    at_limit = np.abs(samples.astype(np.int32)) >= CLIPPED_AT
    edges = np.flatnonzero(np.diff(np.r_[False, at_limit, False].astype(np.int8)))
    runs = edges[1::2] - edges[::2]
    return float(runs[runs >= CLIPPED_RUN].sum() / max(1, len(samples)))
