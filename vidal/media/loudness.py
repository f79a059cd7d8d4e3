"""Numbers of a sound track: loudness, peak, silence and clipping. Pure functions over mono 16-bit samples."""

from __future__ import annotations

import warnings

import numpy as np

from vidal.media.sound import FLOOR_DB

FULL = 32768.0
BLOCK_S = 0.05
# A converter that is overdriven stays at its limit for some samples; one sample there may be a true peak.
CLIPPED_RUN = 3
CLIPPED_AT = 32_700
# BS.1770 integrates blocks of 0.4 s.
SHORTEST_S = 0.4


def lufs(samples: np.ndarray, sample_rate: int) -> float | None:
    """Integrated loudness in LUFS (ITU-R BS.1770-4, by pyloudnorm); None where too short, or silent throughout its gates."""
    import pyloudnorm

    if len(samples) < SHORTEST_S * sample_rate:
        return None
    with warnings.catch_warnings(), np.errstate(divide="ignore"):
        warnings.simplefilter("ignore")  # Of the logarithm of silence.
        found = float(pyloudnorm.Meter(sample_rate).integrated_loudness(samples.astype(np.float64) / FULL))
    return found if np.isfinite(found) else None


def peak_db(samples: np.ndarray) -> float:
    """Largest sample in dBFS; FLOOR_DB for digital silence."""
    peak = int(np.abs(samples.astype(np.int32)).max(initial=0))
    return max(FLOOR_DB, 20.0 * float(np.log10(peak / FULL))) if peak else FLOOR_DB


def silence_share(samples: np.ndarray, sample_rate: int, silence_db: float) -> float:
    """Share of blocks of 50 ms whose RMS level lies under silence_db (dBFS)."""
    size = max(1, round(BLOCK_S * sample_rate))
    blocks = np.array_split(samples, max(1, len(samples) // size))
    power = np.array([np.mean((block.astype(np.float32) / FULL) ** 2) for block in blocks])
    return float(np.mean(power < 10 ** (silence_db / 10)))


def clipping_share(samples: np.ndarray) -> float:
    """Share of samples that stand at the limit of 16 bits, three or more in a row."""
    at_limit = np.abs(samples.astype(np.int32)) >= CLIPPED_AT
    edges = np.flatnonzero(np.diff(np.r_[False, at_limit, False].astype(np.int8)))
    runs = edges[1::2] - edges[::2]
    return float(runs[runs >= CLIPPED_RUN].sum() / max(1, len(samples)))
