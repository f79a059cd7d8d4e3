"""An encoder on disk: a folder with config.json and model.safetensors, which `vidal train` writes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypedDict, cast

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from vidal import __version__
from vidal.config.base import ModelSpec
from vidal.errors import UserError
from vidal.storage.atomic_file import written_aside
from vidal.train.settings import Encoder, Modality, Train
from vidal.train.towers import Architecture, LanguageTower

CONFIG, WEIGHTS = "config.json", "model.safetensors"
FORMAT = 1


class _SavedTower(TypedDict):
    """The entry of one tower in config.json. settings: the settings.Encoder of the tower, as JSON."""

    settings: dict[str, object]
    architecture: Architecture


class SavedConfig(TypedDict):
    """The content of an encoder's config.json.

    vidal: the version of vidal that wrote it. text: the ModelSpec of the language tower, as JSON. width: the length of the vectors.
    """

    format: int
    vidal: str
    text: dict[str, object]
    width: int
    modalities: dict[str, _SavedTower]


def save(folder: Path, towers: Mapping[Modality, nn.Module], settings: Train, text: LanguageTower) -> None:
    """Writes an encoder: the weights of the towers, and the settings that are needed to build these towers again.

    The language tower is frozen, so its ModelSpec is written instead of its weights.
    """
    folder.mkdir(parents=True, exist_ok=True)
    state = {
        f"{modality.value}.{name}": value.detach().cpu().contiguous().clone()
        for modality, tower in towers.items()
        for name, value in tower.state_dict().items()
    }
    config = {
        "format": FORMAT,
        "vidal": __version__,
        "text": settings.text.model_dump(mode="json"),
        "width": text.width,
        "modalities": {
            modality.value: {
                "settings": settings.modalities[modality].model_dump(mode="json"),
                "architecture": tower.architecture,
            }
            for modality, tower in towers.items()
        },
    }
    with written_aside(folder / WEIGHTS) as aside:
        save_file(state, aside)
    with written_aside(folder / CONFIG) as aside:
        aside.write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")


def read_json(folder: Path) -> dict[str, object]:
    """Returns the content of the config.json in a folder. Raises UserError if there is none, or if it is not a JSON object."""
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(
            f"{folder} is not an encoder of vidal: {CONFIG} cannot be read ({error}): name a folder that vidal train wrote"
        ) from error
    if not isinstance(config, dict):
        raise UserError(
            f"{folder} is not an encoder of vidal: {CONFIG} is not a JSON object: name a folder that vidal train wrote"
        )
    return config


def is_saved(config: Mapping[str, object]) -> bool:
    """Returns whether vidal, in any version, wrote this config.json."""
    return "format" in config and "vidal" in config


def checked(folder: Path, config: Mapping[str, object]) -> SavedConfig:
    """Returns `config`, the content of config.json in `folder`, unchanged. Raises UserError if its format is not FORMAT."""
    if config.get("format") != FORMAT:
        raise UserError(
            f"{folder}: {CONFIG} has format {config.get('format')!r}, but this vidal reads format {FORMAT}: use the vidal that wrote it"
        )
    return cast(SavedConfig, config)


def settings_of(config: SavedConfig) -> dict[Modality, Encoder]:
    """Returns the settings of the towers, by modality."""
    return {Modality(name): Encoder.model_validate(each["settings"]) for name, each in config["modalities"].items()}


def text_of(config: SavedConfig) -> ModelSpec:
    """Returns the ModelSpec of the language tower that the encoder was trained with."""
    return ModelSpec.model_validate(config["text"])


class SavedWeights:
    """The weights of a saved encoder, which are read from its file one modality at a time."""

    def __init__(self, folder: Path, weights: Any):
        """weights: the open safetensors file. Its type is Any, because the methods of safe_open have no type annotations."""
        self._folder, self._weights, self._names = folder, weights, set(weights.keys())

    def of(self, modality: Modality) -> dict[str, Tensor]:
        """Returns the weights of the tower of a modality, by their names in the tower."""
        prefix = f"{modality.value}."
        return {
            name.removeprefix(prefix): self._weights.get_tensor(name) for name in self._names if name.startswith(prefix)
        }

    def check_known(self, config: SavedConfig) -> None:
        """Raises UserError if a weight belongs to a modality that the config does not name. The error names up to three such weights."""
        unknown = sorted(name for name in self._names if name.partition(".")[0] not in config["modalities"])
        if unknown:
            raise UserError(
                f"{self._folder}: {WEIGHTS} holds weights of modalities that {CONFIG} does not name: {', '.join(unknown[:3])}: "
                "use both files of the same encoder"
            )


@contextmanager
def open_weights(folder: Path) -> Iterator[SavedWeights]:
    """Opens the weights of an encoder. Raises UserError if their file is missing or damaged."""
    try:
        with safe_open(folder / WEIGHTS, "pt") as weights:
            yield SavedWeights(folder, weights)
    except (OSError, SafetensorError) as error:
        raise UserError(f"{folder / WEIGHTS} cannot be read ({error}): copy the encoder again") from error
