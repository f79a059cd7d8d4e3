"""Depth and infrared by the small networks that the project trains itself (python -m vidal.estimators), from a folder or the package.

id: a folder with config.json and model.safetensors, or "embedded:depth" and "embedded:infrared", which ship with vidal.
revision: where given, the weights must have it. Model cards stand beside the weights.
"""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image

from vidal.config.base import ModelSpec
from vidal.models.checkpoint import Config, load
from vidal.models.device import choose_device
from vidal.models.protocols import Images


class _Mapper:
    """One map a picture, at its size. Pictures go in one by one: a result never depends on what stands beside it."""

    def __init__(self, spec: ModelSpec, task: str):
        self._device = choose_device(spec.device)
        net, self.config, self.name = load(spec, task)
        self._net = net.to(self._device)

    @torch.inference_mode()
    def __call__(self, image: Image.Image) -> np.ndarray:
        made = self._net(pixels(image, self.config).to(self._device))[0].float().cpu().numpy()
        resized = Image.fromarray(made).resize(image.size, Image.Resampling.BILINEAR)
        return np.asarray(resized, np.float32)


class EncoderDecoderDepth:
    def __init__(self, spec: ModelSpec):
        self._map = _Mapper(spec, "depth")
        self.name = self._map.name
        self.kind = self._map.config.kind or "inverse_relative"
        self.unit = self._map.config.unit

    def estimate(self, images: Images) -> list[np.ndarray]:
        """(h, w) float32 for each picture, at its size; what it means says `kind`."""
        return [self._map(image) for image in images]


class EncoderDecoderInfrared:
    def __init__(self, spec: ModelSpec):
        self._map = _Mapper(spec, "infrared")
        self.name = self._map.name

    def translate(self, images: Images, seeds: list[int]) -> list[np.ndarray]:
        """(h, w) float32 in (0, 1) for each picture, at its size. Nothing is drawn: the seeds alter nothing."""
        return [self._map(image) for image in images]


def input_size(size: tuple[int, int], config: Config) -> tuple[int, int]:
    """(width, height) that the network is given: the short side scaled, both sides rounded to the multiple."""
    scale = config.short_side / min(size)
    # A sliver is distorted rather than let through at any length.
    longest = 4 * config.short_side
    width, height = (
        max(config.multiple, round(min(side * scale, longest) / config.multiple) * config.multiple) for side in size
    )
    return width, height


def pixels(image: Image.Image, config: Config) -> torch.Tensor:
    """(1, 3, h, w) float32."""
    resized = image.convert("RGB").resize(input_size(image.size, config), Image.Resampling.BILINEAR)
    values = (np.asarray(resized, np.float32) - config.mean) / config.std
    return torch.from_numpy(values).permute(2, 0, 1)[None].contiguous(memory_format=torch.channels_last)
