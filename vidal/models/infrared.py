"""RGB to infrared with a MUNIT checkpoint of sRGB-TIR's layout: {"a": state dict, "b": state dict}."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from vidal.config import ModelSpec
from vidal.errors import UserError
from vidal.models import Images
from vidal.models.munit import Generator
from vidal.models.weights import device, required


class Munit:
    """One style for all frames of a clip, drawn from the clip's seed, and evaluation mode: intensities can be compared.

    options: generator (arguments of Generator, where the checkpoint is not of the published size), height and width
    (the published model's 400 x 640 by default).
    """

    def __init__(self, spec: ModelSpec):
        self._device = device(spec)
        self.name = f"{spec.id}@{spec.revision or 'local'}"
        self._size = (int(spec.options.get("width", 640)), int(spec.options.get("height", 400)))
        arguments = spec.options.get("generator", {})
        states = load_states(Path(required(spec)))
        self._rgb, self._thermal = (
            _load(Generator(**arguments), states[key], key).to(self._device) for key in ("a", "b")
        )

    @torch.inference_mode()
    def translate(self, images: Images, seed: int) -> list[np.ndarray]:
        """(h, w) float32 in [-1, 1] for each picture, at its size."""
        pixels = torch.stack([self._pixels(image) for image in images]).to(self._device)
        drawn = torch.randn(1, self._thermal.style_dim, 1, 1, generator=torch.Generator().manual_seed(seed))
        style = drawn.expand(len(images), -1, -1, -1).to(self._device)
        made = self._thermal.decode(self._rgb.encode(pixels), style).mean(1).float().cpu().numpy()
        return [_resized(frame, image.size) for frame, image in zip(made, images, strict=True)]

    def _pixels(self, image: Image.Image) -> torch.Tensor:
        resized = image.convert("RGB").resize(self._size, Image.Resampling.BILINEAR)
        return torch.from_numpy(np.asarray(resized, np.float32) / 127.5 - 1.0).permute(2, 0, 1)


def load_states(path: Path) -> dict[str, dict[str, torch.Tensor]]:
    """Raises UserError where the file is not a checkpoint of two generators."""
    try:
        states = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise UserError(f"infrared checkpoint {path}: no such file") from error
    if not isinstance(states, dict) or not {"a", "b"} <= states.keys():
        raise UserError(f"infrared checkpoint {path}: must hold the generators `a` and `b`")
    return states


def _load(generator: Generator, state: dict[str, torch.Tensor], key: str) -> Generator:
    expected = generator.state_dict().keys()
    if wrong := sorted((state.keys() - expected) | (expected - state.keys())):
        raise UserError(
            f"infrared checkpoint, generator {key}: {len(wrong)} keys do not match, the first is {wrong[0]}"
        )
    try:
        generator.load_state_dict(state)
    except RuntimeError as error:
        raise UserError(f"infrared checkpoint, generator {key}: {str(error).splitlines()[-1].strip()}") from error
    return generator.eval()


def _resized(frame: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return np.asarray(Image.fromarray(frame, mode="F").resize(size, Image.Resampling.BILINEAR))
