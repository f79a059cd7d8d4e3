"""An adapter: a model behind a name. This one needs no weights: Sobel's gradient of the luminance."""

import numpy as np
from PIL import Image

from vidal.config.base import ModelSpec


class Sobel:
    name = "sobel"

    def __init__(self, spec: ModelSpec):
        self._scale = float(spec.options.get("scale", 1.0))

    def edges(self, images: list[Image.Image]) -> list[np.ndarray]:
        """(h, w) uint8 for each picture: the strength of its edges."""
        return [self._edges(np.asarray(image.convert("L"), np.float32)) for image in images]

    def _edges(self, luminance: np.ndarray) -> np.ndarray:
        down, right = np.gradient(luminance)
        return np.clip(np.hypot(down, right) * self._scale, 0, 255).astype(np.uint8)
