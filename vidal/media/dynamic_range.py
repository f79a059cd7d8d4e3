"""Converts pictures of a high dynamic range (PQ, HLG) to sRGB, as a player shows them on an ordinary screen.

The values are converted to amounts of light (ITU-R BT.2100); 1.0 is reference white, which has 203 nits (ITU-R BT.2408). Then the colours
are converted to sRGB's primaries, and highlights are compressed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from vidal.media.arrays import Float32Array, UInt8Array, UInt16Array

WHITE_NITS = 203.0
# Light below this is kept; above it, the curve approaches 1 and never reaches it. Reference white becomes 247 of 255.
KNEE = 0.85
# Codes of ITU-T H.273.
_BT2020_PRIMARIES = 9
_PQ, _HLG = 16, 18
# ITU-R BT.2087: linear BT.2020 to linear BT.709, whose primaries sRGB has.
_TO_SRGB = np.array([[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], np.float32)


def is_high(frame: Any) -> bool:
    """Returns whether a frame of PyAV has a high dynamic range."""
    return frame.color_trc in _TO_LIGHT


def to_srgb(frame: Any, coded: UInt16Array) -> UInt8Array:
    """Returns the picture of a frame as (h, w, 3) uint8 sRGB.

    frame: a PyAV frame with a high dynamic range. coded: its picture as (h, w, 3) uint16 RGB, still in PQ or HLG.
    """
    light = _TO_LIGHT[frame.color_trc](coded.astype(np.float32) / np.float32(65535))
    if frame.color_primaries == _BT2020_PRIMARIES:
        light = np.maximum(light @ _TO_SRGB.T, 0)
    return _encoded(_compressed(light))


def _pq_light(coded: Float32Array) -> Float32Array:
    """Returns the light of PQ values in 0..1 (SMPTE ST 2084), in units of reference white."""
    root = coded ** np.float32(1 / 78.84375)
    ratio = np.maximum(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)
    light: Float32Array = ratio ** np.float32(1 / 0.1593017578125) * np.float32(10_000 / WHITE_NITS)
    return light


def _hlg_light(coded: Float32Array) -> Float32Array:
    """Returns the light that a screen of 1,000 nits shows for HLG values, in units of reference white (ITU-R BT.2100, table 5).

    coded: the HLG values, (..., 3) in 0..1.
    """
    scene = np.where(coded <= 0.5, coded**2 / 3, (np.exp((coded - 0.55991073) / 0.17883277) + 0.28466892) / 12)
    luminance = scene @ np.array([0.2627, 0.6780, 0.0593], np.float32)
    light: Float32Array = scene * luminance[..., None] ** np.float32(0.2) * np.float32(1_000 / WHITE_NITS)
    return light


def _compressed(light: Float32Array) -> Float32Array:
    """Compresses light above KNEE. The largest of a pixel's three colours determines one factor for all three, which keeps the hue."""
    largest = np.maximum(light.max(-1, keepdims=True), 1e-6)
    above = np.maximum(largest - KNEE, 0) / (1 - KNEE)
    target = np.where(above > 0, KNEE + (1 - KNEE) * above / (1 + above), largest)
    compressed: Float32Array = light * (target / largest)
    return compressed


def _encoded(light: Float32Array) -> UInt8Array:
    """Returns the sRGB code values of light in 0..1."""
    coded = np.where(
        light <= 0.0031308, 12.92 * light, 1.055 * np.maximum(light, 0.0031308) ** np.float32(1 / 2.4) - 0.055
    )
    values: UInt8Array = (np.clip(coded, 0, 1) * 255 + 0.5).astype(np.uint8)
    return values


_TO_LIGHT: dict[int, Callable[[Float32Array], Float32Array]] = {_PQ: _pq_light, _HLG: _hlg_light}
