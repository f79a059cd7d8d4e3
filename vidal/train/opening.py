"""Opens towers with pretrained weights, or with the weights of a trained encoder.

If the architecture of a saved tower is given, the caller must then load the weights of this tower.
"""

from __future__ import annotations

import importlib
from pathlib import Path

import torch
from transformers.utils import logging

from vidal.config.base import ModelSpec
from vidal.errors import UserError
from vidal.models.device import choose_device
from vidal.train import published, saved
from vidal.train.settings import Encoder, Modality
from vidal.train.starting_point import read_starting_point
from vidal.train.towers import TOWERS, Architecture, LanguageTower, ModalityTower, TextTower
from vidal.train.weights import fill


def open_text_tower(spec: ModelSpec, device: torch.device | None = None) -> LanguageTower:
    """Opens the language tower that a spec names.

    If spec.id is the folder of an encoder, the language tower of that encoder is opened. device: where the tower runs if spec.device is
    "auto"; None chooses a GPU if there is one. Raises UserError if the adapter is unknown, or if the weights are unavailable.
    """
    logging.disable_progress_bar()
    if spec.device == "auto":
        spec = spec.model_copy(update={"device": str(device or choose_device())})
    folder = Path(spec.id or "")
    if spec.id and (folder / saved.CONFIG).is_file():
        config = saved.read_json(folder)
        if published.is_published(config):
            return published.PublishedText(folder, published.read(folder, config), torch.device(spec.device))
        if saved.is_saved(config):
            return open_text_tower(saved.text_of(saved.checked(folder, config)), torch.device(spec.device))
    return TextTower(spec)


def open_tower(
    modality: Modality, settings: Encoder, width: int, architecture: Architecture | None = None
) -> ModalityTower:
    """Builds the tower of a modality.

    The first of these cases that holds decides the weights of the tower:

    - `architecture` is not None. It is the architecture of a saved tower. The caller must load the weights of the saved tower afterwards.
    - settings.model.id is the folder of a trained encoder. The tower gets the weights of that encoder.
    - Otherwise, the tower gets pretrained weights.

    width: the length of the vectors of all towers, including the language tower.

    Raises UserError if the adapter is unknown, if the tower has another width, or if weights are unavailable.
    """
    logging.disable_progress_bar()
    name = settings.model.adapter
    if name not in TOWERS:
        raise UserError(f"train.modalities.{modality.value}: no adapter {name!r}: choose from {', '.join(TOWERS)}")
    module, _, kind = TOWERS[name].partition(":")
    start = None if architecture else read_starting_point(modality, settings)
    build = getattr(importlib.import_module(module), kind)
    tower: ModalityTower = build(modality, settings, width, start.architecture if start else architecture)
    if start:
        fill(tower, start.state, start.where)
    tower.tune(settings)
    return tower
