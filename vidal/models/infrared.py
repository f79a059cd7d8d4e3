"""Translates RGB to infrared with a MUNIT checkpoint as sRGB-TIR publishes it (Lee et al. 2023): {"a": state dict, "b": state dict}."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from vidal.config.base import ModelSpec
from vidal.errors import UserError
from vidal.media.arrays import Float32Array
from vidal.models.batch_groups import group_into_batches
from vidal.models.device import choose_device
from vidal.models.model_id import model_id
from vidal.models.munit import Generator
from vidal.models.protocols import Images
from vidal.models.weights import require_id


class Munit:
    """An InfraredTranslator. One generator encodes the picture; the other decodes the result with a random style.

    The keys of `options` in the recipe are:
    generator: the sizes of the layers, as arguments of vidal.models.munit.Generator. Only needed if they are not the published ones.
    a2b: whether to translate from domain a to domain b. False by default, because sRGB-TIR's checkpoint has thermal as a and RGB as b.
    short_side: the short side of the model's input, in pixels. 400 by default, as in sRGB-TIR's training.
    input: the [width, height] of the model's input, instead of short_side. The aspect ratio of the pictures is then ignored.
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
    def translate(self, images: Images, seeds: list[int]) -> list[Float32Array]:
        """Returns one map per picture, (h, w) float32 in [-1, 1], of the picture's own size. The same seed gives the same style."""
        sizes = [self._input_size(image) for image in images]
        frames: dict[int, Float32Array] = {}
        for group in group_into_batches(sizes, self._device):
            pixels = torch.stack([_pixels(images[index], sizes[index]) for index in group]).to(self._device)
            styles = torch.cat([self._style(seeds[index]) for index in group]).to(self._device)
            output = self._target.decode(self._source.encode(pixels), styles).mean(1).float().cpu().numpy()
            frames |= {index: _resized(frame, images[index].size) for index, frame in zip(group, output, strict=True)}
        return [frames[index] for index in range(len(images))]

    def _style(self, seed: int) -> torch.Tensor:
        """Returns the style of a seed, (1, style_dim, 1, 1). It is drawn on the CPU, so that it is the same on every machine."""
        return torch.randn(1, self._target.style_dim, 1, 1, generator=torch.Generator().manual_seed(seed))

    def _input_size(self, image: Image.Image) -> tuple[int, int]:
        """Returns (width, height) of the model's input.

        This is options.input. Without it, the short side is scaled to options.short_side, and both sides are rounded to multiples of 4,
        because the model halves them twice.
        """
        if self._input is not None:
            return self._input[0], self._input[1]
        scale = self._short_side / min(image.size)
        return max(8, round(image.width * scale / 4) * 4), max(8, round(image.height * scale / 4) * 4)


def load_states(path: Path) -> dict[str, dict[str, torch.Tensor]]:
    """Returns the state dicts of the generators, with the keys "a" and "b".

    Raises UserError if the file is not a checkpoint of two generators. No code in the file is executed.
    """
    try:
        states = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise UserError(f"infrared checkpoint {path}: {error.strerror or error}: correct infrared.model.id") from error
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise UserError(
            f"infrared checkpoint {path} is damaged, or contains something other than weights: download it again"
        ) from error
    if not isinstance(states, dict) or not all(isinstance(states.get(key), dict) for key in ("a", "b")):
        raise UserError(
            f"infrared checkpoint {path} is not a dict with the state dicts of the generators `a` and `b`: "
            "correct infrared.model.id"
        )
    result: dict[str, dict[str, torch.Tensor]] = states
    return result


def load(generator: Generator, state: dict[str, torch.Tensor], key: str) -> Generator:
    """Loads the weights of a state dict into the generator, and returns the generator in evaluation mode.

    key: "a" or "b", for messages. Raises UserError if a weight's name or shape does not match; the error names one such weight.
    """
    expected = generator.state_dict().keys()
    if wrong := sorted((state.keys() - expected) | (expected - state.keys())):
        raise UserError(
            f"infrared checkpoint, generator {key}: {len(wrong)} keys are missing or unknown; the first is {wrong[0]}; "
            "give another checkpoint, or correct options.generator"
        )
    try:
        generator.load_state_dict(state)
    except RuntimeError as error:
        raise UserError(
            f"infrared checkpoint, generator {key}: {str(error).splitlines()[-1].strip()}; "
            "give another checkpoint, or correct options.generator"
        ) from error
    return generator.eval()


def _pixels(image: Image.Image, size: tuple[int, int]) -> torch.Tensor:
    resized = image.convert("RGB").resize(size, Image.Resampling.BILINEAR)
    return torch.from_numpy(np.asarray(resized, np.float32) / 127.5 - 1.0).permute(2, 0, 1)


def _resized(frame: Float32Array, size: tuple[int, int]) -> Float32Array:
    return np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.BILINEAR))
