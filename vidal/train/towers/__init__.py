"""The two sides of the loss: frozen language towers, and a tower for each modality. A dict is the registry.

To add a tower, write a file with a subclass of ModalityTower, and add its name to TOWERS.
"""

from __future__ import annotations

import importlib
from typing import Protocol, TypedDict

import torch
from torch import Tensor, nn
from transformers.utils import logging

from vidal.config.base import ModelSpec
from vidal.errors import UserError
from vidal.models.registry import SCORERS, open_model, why_unavailable
from vidal.train.settings import Encoder, Modality

# Each language tower is the text side of an image-text scorer. The text side of conse is MiniLM, centred in the same way as pictures.
TEXT_ADAPTERS = {"minilm": "conse", "clip": "transformers", "open_clip": "open_clip"}
TOWERS = {
    "efficientnet": "vidal.train.towers.efficientnet:EfficientNetTower",
    "clip": "vidal.train.towers.clip:ClipTower",
    "open_clip": "vidal.train.towers.open_clip_tower:OpenClipTower",
}


class Architecture(TypedDict, total=False):
    """The values that are needed, besides the weights, to rebuild a saved tower.

    adapter: always. name: of an open_clip model. vision_config: of a CLIP tower, as transformers writes it. grid: the rows and columns
    of patches of a CLIP tower for sounds.
    """

    adapter: str
    name: str
    vision_config: dict[str, object]
    grid: list[int] | None


class LanguageTower(Protocol):
    """A frozen language tower. name, revision: of the model. width: the length of its features."""

    name: str
    revision: str
    width: int

    def encode(self, texts: list[str]) -> Tensor:
        """Returns (n, width) float32, L2-normalised, on the CPU and without gradients."""


class TextTower:
    """A LanguageTower: the text side of a scorer."""

    def __init__(self, spec: ModelSpec):
        if spec.adapter not in TEXT_ADAPTERS:
            raise UserError(f"train.text: no adapter {spec.adapter!r}: choose from {', '.join(TEXT_ADAPTERS)}")
        scorer = spec.model_copy(update={"adapter": TEXT_ADAPTERS[spec.adapter]})
        if why := why_unavailable(SCORERS, scorer):
            raise UserError(f"train.text: {why}")
        self.name, self.revision = f"{spec.adapter} {spec.id or ''}".strip(), spec.revision or ""
        self._scorer = open_model(SCORERS, scorer)
        self.width = self.encode(["a"]).shape[1]

    def encode(self, texts: list[str]) -> Tensor:
        """Returns (n, width) float32, L2-normalised, on the CPU and without gradients."""
        return torch.from_numpy(self._scorer.embed_texts(texts))


def open_text_tower(spec: ModelSpec, device: torch.device | None = None) -> TextTower:
    """Opens the language tower of a recipe. Raises UserError for an unknown adapter, and for weights that are not available here.

    device: where it runs, unless the spec names a device.
    """
    logging.disable_progress_bar()
    if device is not None and spec.device == "auto":
        spec = spec.model_copy(update={"device": str(device)})
    return TextTower(spec)


class ModalityTower(nn.Module):
    """Maps normalised pictures, (n, 3, h, w), or videos, (n, t, 3, h, w), to features, (n, width) float, which are not normalised.

    mean, std: (3,), to normalise pictures with.
    """

    mean: Tensor
    std: Tensor
    architecture: Architecture

    def __init__(self, mean: tuple[float, ...], std: tuple[float, ...]):
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean), persistent=False)
        self.register_buffer("std", torch.tensor(std), persistent=False)

    def checkpoint_activations(self) -> None:
        """Makes the backward pass compute activations again, which saves memory. Raises UserError for a tower that cannot do so."""
        raise UserError(
            "train.checkpoint_activations: only adapter clip can compute its activations again: set it to false"
        )


def open_tower(
    modality: Modality, settings: Encoder, width: int, architecture: Architecture | None = None
) -> ModalityTower:
    """Builds a tower with pretrained weights or, with the `architecture` of a saved tower, one for load_state_dict to fill.

    width: of the language tower. Raises UserError for an unknown adapter, for another width, and for weights that are not available.
    """
    logging.disable_progress_bar()
    name = settings.model.adapter
    if name not in TOWERS:
        raise UserError(f"train.modalities.{modality.value}: no adapter {name!r}: choose from {', '.join(TOWERS)}")
    module, _, kind = TOWERS[name].partition(":")
    tower: ModalityTower = getattr(importlib.import_module(module), kind)(modality, settings, width, architecture)
    return tower
