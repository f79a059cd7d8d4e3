"""The two sides of the loss: frozen language towers, and a tower for each modality. A dict is the registry.

To add a tower: a file with a subclass of ModalityTower, and its name in TOWERS.
"""

from __future__ import annotations

import importlib
from typing import Any

import torch
from torch import Tensor, nn
from transformers.utils import logging

from vidal.config.base import ModelSpec
from vidal.errors import UserError
from vidal.models.registry import SCORERS, open_model, why_unavailable
from vidal.train.settings import Encoder, Modality

# The texts of the image-text scorers. conse's are MiniLM's, centred as its pictures are.
TEXT_ADAPTERS = {"minilm": "conse", "clip": "transformers", "open_clip": "open_clip"}
TOWERS = {
    "efficientnet": "vidal.train.towers.efficientnet:EfficientNetTower",
    "clip": "vidal.train.towers.clip:ClipTower",
    "open_clip": "vidal.train.towers.open_clip_tower:OpenClipTower",
}


class TextTower:
    """A frozen language tower. width: of its features; weights never enter a graph."""

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
        """(n, width) float32, L2-normalised, on the CPU."""
        return torch.from_numpy(self._scorer.embed_texts(texts))


def open_text_tower(spec: ModelSpec) -> TextTower:
    """Raises UserError for an adapter that is not known, or weights that cannot be had here."""
    logging.disable_progress_bar()
    return TextTower(spec)


class ModalityTower(nn.Module):
    """(n, 3, h, w), or (n, t, 3, h, w) of videos, normalised, to (n, width) float, not normalised.

    mean, std: (3,), that pictures are normalised with. architecture: what a saved tower needs beside its weights to be built again.
    """

    mean: Tensor
    std: Tensor
    architecture: dict[str, Any]

    def __init__(self, mean: tuple[float, ...], std: tuple[float, ...]):
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean), persistent=False)
        self.register_buffer("std", torch.tensor(std), persistent=False)

    def checkpoint_activations(self) -> None:
        """Computes activations again in the backward pass instead of keeping them. Raises UserError where that is not built."""
        raise UserError("train.checkpoint_activations: this tower keeps its activations; adapter clip can do without")


def open_tower(
    modality: Modality, settings: Encoder, width: int, architecture: dict[str, Any] | None = None
) -> ModalityTower:
    """A tower with pretrained weights; with `architecture`, of a saved one, with none: load_state_dict fills it.

    Raises UserError for an adapter that is not known, a width it does not have, or weights that cannot be had.
    """
    logging.disable_progress_bar()
    name = settings.model.adapter
    if name not in TOWERS:
        raise UserError(f"train.modalities.{modality.value}: no adapter {name!r}: choose from {', '.join(TOWERS)}")
    module, _, kind = TOWERS[name].partition(":")
    tower: ModalityTower = getattr(importlib.import_module(module), kind)(modality, settings, width, architecture)
    return tower
