"""RGB to infrared with a MUNIT checkpoint of sRGB-TIR's layout: {"a": state dict, "b": state dict}."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from vidal.config.base import ModelSpec
from vidal.errors import UserError
from vidal.models.batch_groups import group_into_batches
from vidal.models.device import choose_device
from vidal.models.model_id import model_id
from vidal.models.munit import Generator
from vidal.models.protocols import Images
from vidal.models.weights import require_id


class Munit:
    """Encodes with one generator, decodes with the other and a random style, in evaluation mode.

    options: generator (arguments of Generator, where the checkpoint is not of the published size); a2b (false: from domain
    b to a, which is RGB to thermal in sRGB-TIR, trained as tir2rgb); short_side (of what the model sees, aspect kept; 400
    as in its training); input ([width, height] that pictures are forced to; their aspect is then lost).
    """

    def __init__(self, spec: ModelSpec):
        self._device = choose_device(spec.device)
        self._short_side = int(spec.options.get("short_side", 400))
        self._input: list[int] | None = spec.options.get("input")
        arguments = spec.options.get("generator", {})
        states = load_states(Path(require_id(spec)))
        self.name = model_id(spec)
        built = {key: load(Generator(**arguments), states[key], key).to(self._device) for key in ("a", "b")}
        source, target = ("a", "b") if spec.options.get("a2b", False) else ("b", "a")
        self._source, self._target = built[source], built[target]

    @torch.inference_mode()
    def translate(self, images: Images, seeds: list[int]) -> list[np.ndarray]:
        """(h, w) float32 in [-1, 1] for each picture, at its size; pictures of one seed have one style."""
        sizes = [self._size(image) for image in images]
        found: dict[int, np.ndarray] = {}
        for group in group_into_batches(sizes, self._device):
            pixels = torch.stack([_pixels(images[index], sizes[index]) for index in group]).to(self._device)
            styles = torch.cat([self._style(seeds[index]) for index in group]).to(self._device)
            made = self._target.decode(self._source.encode(pixels), styles).mean(1).float().cpu().numpy()
            found |= {index: _resized(frame, images[index].size) for index, frame in zip(group, made, strict=True)}
        return [found[index] for index in range(len(images))]

    def _style(self, seed: int) -> torch.Tensor:
        """On the CPU, so that a seed means the same style on every machine."""
        return torch.randn(1, self._target.style_dim, 1, 1, generator=torch.Generator().manual_seed(seed))

    def _size(self, image: Image.Image) -> tuple[int, int]:
        """(width, height) that the model sees: multiples of 4, since it halves them twice."""
        if self._input is not None:
            return self._input[0], self._input[1]
        scale = self._short_side / min(image.size)
        return max(8, round(image.width * scale / 4) * 4), max(8, round(image.height * scale / 4) * 4)


def load_states(path: Path) -> dict[str, dict[str, torch.Tensor]]:
    """Raises UserError where the file is not a checkpoint of two generators. Nothing in the file is executed."""
    try:
        states = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise UserError(f"infrared checkpoint {path}: no such file") from error
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise UserError(f"infrared checkpoint {path}: not a file of weights alone") from error
    wanted = isinstance(states, dict) and all(isinstance(states.get(key), dict) for key in ("a", "b"))
    if not wanted:
        raise UserError(f"infrared checkpoint {path}: must hold the generators `a` and `b`")
    result: dict[str, dict[str, torch.Tensor]] = states
    return result


def load(generator: Generator, state: dict[str, torch.Tensor], key: str) -> Generator:
    """The generator with these weights, each by its name and shape. Raises UserError that names the first that does not fit."""
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


def _pixels(image: Image.Image, size: tuple[int, int]) -> torch.Tensor:
    resized = image.convert("RGB").resize(size, Image.Resampling.BILINEAR)
    return torch.from_numpy(np.asarray(resized, np.float32) / 127.5 - 1.0).permute(2, 0, 1)


def _resized(frame: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.BILINEAR))
