"""Reads the tower with which training starts, from an encoder that vidal trained or from a checkpoint of LanguageBind."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from vidal.errors import UserError
from vidal.train import adapters, published, saved
from vidal.train.settings import Encoder, Modality
from vidal.train.towers import Architecture


@dataclass(frozen=True)
class StartingPoint:
    """The tower with which a training run starts. It was read from an encoder of vidal or from a checkpoint of LanguageBind.

    state: its weights, with low-rank adapters merged in. where: the folder that holds the tower, for error messages.
    """

    architecture: Architecture
    state: dict[str, Tensor]
    where: str


def read_starting_point(modality: Modality, settings: Encoder) -> StartingPoint | None:
    """Returns the tower of the encoder in the folder `settings.model.id`.

    Returns None if `settings.model.id` is not a folder with an encoder of vidal or a checkpoint of LanguageBind.

    Raises UserError if the encoder has no tower for the modality, if the adapter of this tower is not settings.model.adapter, or if its
    weights are missing or damaged.
    """
    folder = Path(settings.model.id or "")
    if not settings.model.id or not (folder / saved.CONFIG).is_file():
        return None
    config = saved.read_json(folder)
    if published.is_published(config):
        return _from_published(folder, published.read(folder, config), modality, settings)
    if saved.is_saved(config):
        return _from_saved(folder, saved.checked(folder, config), modality, settings)
    return None


def _from_published(
    folder: Path, checkpoint: published.Checkpoint, modality: Modality, settings: Encoder
) -> StartingPoint:
    _require(folder, modality, [checkpoint.modality])
    _require_adapter(folder, modality, checkpoint.settings.model.adapter, settings)
    return StartingPoint(checkpoint.architecture, checkpoint.vision, str(folder))


def _from_saved(folder: Path, config: saved.SavedConfig, modality: Modality, settings: Encoder) -> StartingPoint:
    trained = saved.settings_of(config)
    _require(folder, modality, list(trained))
    architecture, own = config["modalities"][modality.value]["architecture"], trained[modality]
    _require_adapter(folder, modality, own.model.adapter, settings)
    with saved.open_weights(folder) as weights:
        return StartingPoint(architecture, adapters.merged(weights.of(modality), own.lora.alpha), str(folder))


def _require(folder: Path, modality: Modality, present: list[Modality]) -> None:
    if modality not in present:
        names = ", ".join(each.value for each in present)
        raise UserError(
            f"train.modalities.{modality.value}: {folder} has a tower for {names}, not for {modality.value}: set another model.id"
        )


def _require_adapter(folder: Path, modality: Modality, adapter: str, settings: Encoder) -> None:
    if adapter != settings.model.adapter:
        raise UserError(
            f"train.modalities.{modality.value}: {folder} has a tower of adapter {adapter}: set model.adapter to {adapter}"
        )
