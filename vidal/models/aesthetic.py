"""Predicts how well people would like a picture: a small head on CLIP embeddings, as in LAION's predictors (Schuhmann 2022).

LAION's first predictor is one linear layer (keys `weight` and `bias`) on the embeddings of ViT-L/14. The second is five linear layers
(keys `layers.0.weight`, ...). Both were trained on L2-normalised embeddings. The dropout layers of the second have no weights and do
nothing at inference, so they are left out.
"""

from __future__ import annotations

import pickle
import re
from itertools import pairwise
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from vidal.config.base import ModelSpec
from vidal.errors import UserError
from vidal.media.arrays import Float32Array
from vidal.models.open_clip_scorer import OpenClip
from vidal.models.protocols import Images

_LAYER = re.compile(r"layers\.(\d+)\.(weight|bias)")
_ACTIVATIONS = {"none": nn.Identity, "relu": nn.ReLU}


class ClipHead:
    """A Rater: an open_clip model with a head.

    spec: its id names the open_clip model. Its option `head` is a .safetensors, .pt or .pth file. Its option `activation` is the
    function between the layers of the head: "relu", or "none" (the default).
    """

    def __init__(self, spec: ModelSpec):
        path = head_path(spec)
        self._clip = OpenClip(spec)
        self._head = build_head(read_head(path), str(spec.options.get("activation", "none")), path.name)
        self.name = f"{path.name} over {spec.id}"

    @torch.inference_mode()
    def rate(self, images: Images) -> Float32Array:
        """Returns one rating per picture, (n,) float32. The scale is that of the ratings that the head was trained on.

        Raises UserError if the head (the layers after the CLIP model) does not fit the model.
        """
        embeddings = torch.from_numpy(self._clip.embed_images(images))
        inputs = next(layer for layer in self._head if isinstance(layer, nn.Linear)).in_features
        if embeddings.shape[1] != inputs:
            given = embeddings.shape[1]
            raise UserError(
                f"aesthetic head {self.name}: takes embeddings of {inputs} numbers, but those of the model have {given}: "
                "give the model that the head was trained on"
            )
        values: Float32Array = self._head(embeddings)[:, 0].numpy()
        return values


def head_path(spec: ModelSpec) -> Path:
    """Returns the file of the head, which options.head of the spec names. Raises UserError if the spec has no such option."""
    if not spec.options.get("head"):
        raise UserError("the aesthetic model needs options.head: the file of the head")
    return Path(str(spec.options["head"]))


def read_head(path: Path) -> dict[str, Tensor]:
    """Returns the state dict of a head from a file. Raises UserError if the file is not a state dict. No code in the file is executed."""
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise UserError(
            f"aesthetic head {path}: {error.strerror or error}: correct options.head of the model"
        ) from error
    except (SafetensorError, pickle.UnpicklingError, EOFError, RuntimeError) as error:
        raise UserError(
            f"aesthetic head {path}: cannot be read: {' '.join(str(error).split())[:300]}: correct options.head of the model"
        ) from error
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise UserError(f"aesthetic head {path}: is not a state dict of tensors: correct options.head of the model")
    return state


def build_head(state: dict[str, Tensor], activation: str, name: str) -> nn.Sequential:
    """Returns the network of a head, in evaluation mode.

    activation: between the layers, "none" or "relu". name: the name of the head's file, for messages. Raises UserError for any other
    activation, or if the state dict is not a chain of linear layers that ends in one number.
    """
    if activation not in _ACTIVATIONS:
        raise UserError(f"aesthetic head: activation {activation!r} must be {' or '.join(_ACTIVATIONS)}")
    flat = {f"layers.0.{key}" if key in ("weight", "bias") else key: value for key, value in state.items()}
    indices = sorted({int(match[1]) for key in flat if (match := _LAYER.fullmatch(key))})
    expected = {f"layers.{index}.{part}" for index in indices for part in ("weight", "bias")}
    if not indices or flat.keys() != expected:
        wrong = [f"{key} is {'unknown' if key in flat else 'missing'}" for key in sorted(flat.keys() ^ expected)] or [
            "it has no layers"
        ]
        raise UserError(
            f"aesthetic head {name} is not a chain of linear layers ({wrong[0]}): correct options.head of the model"
        )
    shapes = [tuple(flat[f"layers.{index}.weight"].shape) for index in indices]
    fits = all(len(shape) == 2 for shape in shapes)
    if not fits or shapes[-1][0] != 1 or any(a[0] != b[1] for a, b in pairwise(shapes)):
        raise UserError(
            f"aesthetic head {name}: its layers do not fit each other or do not end in a single number (their shapes: {shapes}): "
            "correct options.head of the model"
        )
    layers: list[nn.Module] = []
    for index, shape in zip(indices, shapes, strict=True):
        linear = nn.Linear(shape[1], shape[0])
        linear.load_state_dict({part: flat[f"layers.{index}.{part}"].float() for part in ("weight", "bias")})
        layers += [linear, _ACTIVATIONS[activation]()]
    return nn.Sequential(*layers[:-1]).eval()
