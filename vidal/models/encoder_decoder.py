"""Estimates depth and infrared with the small networks that `python -m vidal.estimators` trains.

The id of the model is a folder with config.json and model.safetensors, or "embedded:depth" or "embedded:infrared" for the weights
that ship with vidal. If the recipe sets a revision, it must be the hash of these two files. The model cards are in the folders of the
weights.
"""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image

from vidal.config.base import ModelSpec
from vidal.media.arrays import Float32Array
from vidal.models.checkpoint import Config, load
from vidal.models.device import choose_device
from vidal.models.protocols import Images


class _Mapper:
    """Turns a picture into a map, (h, w) float32, of the same size. Takes a single picture, so no result depends on other pictures."""

    def __init__(self, spec: ModelSpec, task: str):
        self._device = choose_device(spec.device)
        net, self.config, self.name = load(spec, task)
        self._net = net.to(self._device)

    @torch.inference_mode()
    def __call__(self, image: Image.Image) -> Float32Array:
        values = self._net(to_input(image, self.config).to(self._device))[0].float().cpu().numpy()
        resized = Image.fromarray(values).resize(image.size, Image.Resampling.BILINEAR)
        return np.asarray(resized, np.float32)


class EncoderDecoderDepth:
    """Estimates depth with a small network of vidal's own. A DepthEstimator, see vidal.models.protocols."""

    def __init__(self, spec: ModelSpec):
        self._map = _Mapper(spec, "depth")
        self.name = self._map.name
        self.kind = self._map.config.kind or "inverse_relative"
        self.unit = self._map.config.unit

    def estimate(self, images: Images) -> list[Float32Array]:
        """Returns one depth map per picture, (h, w) float32, of the picture's own size; `kind` says what the values mean."""
        return [self._map(image) for image in images]


class EncoderDecoderInfrared:
    """Translates pictures to infrared with the small network of the embedded recipe. See InfraredTranslator in vidal.models.protocols."""

    def __init__(self, spec: ModelSpec):
        self._map = _Mapper(spec, "infrared")
        self.name = self._map.name

    def translate(self, images: Images, seeds: list[int]) -> list[Float32Array]:
        """Returns one map per picture, (h, w) float32 in 0..1, of the picture's own size. Nothing is random: seeds have no effect."""
        return [self._map(image) for image in images]


def input_size(size: tuple[int, int], config: Config) -> tuple[int, int]:
    """Returns (width, height) of the network's input for a picture of `size`, (width, height) in pixels.

    The picture is scaled until its short side has config.short_side pixels. If the long side is then longer than four times the short
    side, it is shortened to that, which distorts the picture. Both sides are rounded to multiples of config.multiple.
    """
    scale = config.short_side / min(size)
    # A very long picture is distorted, because otherwise its size would have no limit.
    longest = 4 * config.short_side
    width, height = (
        max(config.multiple, round(min(side * scale, longest) / config.multiple) * config.multiple) for side in size
    )
    return width, height


def to_input(image: Image.Image, config: Config) -> torch.Tensor:
    """Returns the network's input for a picture: (1, 3, h, w) float32, resized and normalised as the configuration says."""
    resized = image.convert("RGB").resize(input_size(image.size, config), Image.Resampling.BILINEAR)
    values = (np.asarray(resized, np.float32) - config.mean) / config.std
    return torch.from_numpy(values).permute(2, 0, 1)[None].contiguous(memory_format=torch.channels_last)
