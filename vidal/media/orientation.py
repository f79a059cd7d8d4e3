"""Applies the display matrix of a file: how a player turns and mirrors the stored pictures."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import Any

from PIL import Image, ImageOps

_MATRIX = struct.Struct("=9i")
_TURN_MIN_DEGREES = 1.0  # FFmpeg ignores a smaller turn.


@dataclass(frozen=True)
class Orientation:
    """How to show a stored picture: it is first mirrored left to right, if is_mirrored is true, and then turned clockwise.

    degrees: the angle of the turn.
    """

    is_mirrored: bool = False
    degrees: float = 0.0

    @property
    def swaps_sides(self) -> bool:
        """Returns whether width and height are swapped: the turn is nearer to 90 or 270 degrees than to 0 or 180."""
        return 45 < self.degrees % 180 < 135

    def apply(self, image: Image.Image) -> Image.Image:
        if self.is_mirrored:
            image = ImageOps.mirror(image)
        return image.rotate(-self.degrees, expand=True) if self.degrees else image


def orientation_of(frame: Any) -> Orientation:
    """Returns the orientation of a frame of PyAV. A translation or scaling in its display matrix is ignored."""
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None or matrix.buffer_size < _MATRIX.size:
        return Orientation()
    a, b, _, c, d, *_ = _MATRIX.unpack_from(matrix)
    is_mirrored = a * d - b * c < 0
    if is_mirrored:
        a, b = -a, -b
    degrees = math.degrees(math.atan2(b, a))
    return Orientation(is_mirrored, degrees if abs(degrees) >= _TURN_MIN_DEGREES else 0.0)
