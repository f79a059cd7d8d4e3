"""Loads encoders that `vidal train` wrote, and checkpoints that LanguageBind published.

If several encoders have different modalities and the same language tower, they can be joined. The result is one encoder for all of
these modalities.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from vidal.config.base import ModelSpec
from vidal.errors import UserError
from vidal.models.device import choose_device
from vidal.train import published, saved
from vidal.train.encoder import BoundEncoder
from vidal.train.opening import open_text_tower, open_tower
from vidal.train.settings import Encoder, Modality
from vidal.train.towers import LanguageTower, ModalityTower
from vidal.train.weights import fill

# Two language towers count as the same if their vectors of these texts are the same.
_PROBES = ["a photo of a cat", "rain falls on a tin roof"]
_COSINE_MIN = 0.9999


@dataclass(frozen=True)
class Part:
    """One encoder, before it is joined with others. folder: its folder or name, for errors.

    text: the spec of its language tower; None for a checkpoint that LanguageBind published. Equal specs mean that two encoders have the
    same language tower. Otherwise, the towers are opened and compared. open_text: opens the language tower.
    """

    folder: Path
    towers: Mapping[Modality, ModalityTower]
    settings: Mapping[Modality, Encoder]
    text: ModelSpec | None
    open_text: Callable[[], LanguageTower]


def load_encoder(path: str | Path | Sequence[str | Path], device: str | None = None) -> BoundEncoder:
    """Loads an encoder that `vidal train` wrote, or a checkpoint that LanguageBind published.

        encoder = vidal.load_encoder("manifests/embedded/_train/embedded/encoder")
        scores = encoder.encode_video(["a.mp4", "b.mp4"]) @ encoder.encode_text(["a dog in the snow"]).T  # (2, 1) cosines
        encoder = vidal.load_encoder(["LanguageBind_Video_FT", "LanguageBind_Audio_FT"])  # encodes videos and sounds

    path: the folder with config.json, or several such folders, whose encoders have the same language tower. device: the device
    of the towers, as torch names it ("cpu", "cuda:1"); "auto" and None choose a GPU if there is one. The language tower is loaded when
    it is first needed, onto the same device.

    Raises UserError if a folder holds no encoder, if a weight is missing, unknown or of another shape, if two encoders are for the same
    modality, or if two were trained against different language towers.
    """
    folders = [Path(path)] if isinstance(path, (str, Path)) else [Path(each) for each in path]
    if not folders:
        raise UserError("load_encoder: name at least one folder")
    torch_device = torch.device(choose_device(device))
    return join_encoders([load_part(folder, torch_device) for folder in folders], torch_device)


def join_encoders(parts: list[Part], device: torch.device) -> BoundEncoder:
    """Returns one encoder for the modalities of all parts.

    Raises UserError if two parts are for the same modality, or were trained against different language towers.
    """
    towers, settings = dict[Modality, ModalityTower](), dict[Modality, Encoder]()
    owners: dict[Modality, Path] = {}
    for part in parts:
        for modality in part.towers:
            if modality in owners:
                raise UserError(
                    f"{owners[modality]} and {part.folder} are both for {modality.value}: name only one of them"
                )
            owners[modality] = part.folder
        towers |= part.towers
        settings |= part.settings
    return BoundEncoder(towers, settings, _common_text(parts), device)


def load_part(folder: Path, device: torch.device) -> Part:
    """Loads the encoder of one folder.

    Raises UserError if the folder holds no encoder, or if a weight is missing, unknown or of another shape.
    """
    config = saved.read_json(folder)
    if published.is_published(config):
        checkpoint = published.read(folder, config)
        tower = published.load_tower(folder, checkpoint)
        published.check_text(folder, checkpoint)
        text = replace(checkpoint, vision={})  # The tower has its own copy.
        return Part(
            folder,
            {checkpoint.modality: tower},
            {checkpoint.modality: checkpoint.settings},
            None,
            lambda: published.PublishedText(folder, text, device),
        )
    checked = saved.checked(folder, config)
    settings, spec = saved.settings_of(checked), saved.text_of(checked)
    return Part(folder, _saved_towers(folder, checked, settings), settings, spec, lambda: open_text_tower(spec, device))


def _saved_towers(
    folder: Path, config: saved.SavedConfig, settings: Mapping[Modality, Encoder]
) -> dict[Modality, ModalityTower]:
    towers: dict[Modality, ModalityTower] = {}
    with saved.open_weights(folder) as weights:
        for modality, encoder in settings.items():
            tower = open_tower(modality, encoder, config["width"], config["modalities"][modality.value]["architecture"])
            fill(tower, weights.of(modality), str(folder), f"{modality.value}.")
            towers[modality] = tower
        weights.check_known(config)
    return towers


def _common_text(parts: list[Part]) -> Callable[[], LanguageTower]:
    """Returns a function that opens the language tower of all parts. Raises UserError if they have different ones."""
    first = parts[0]
    others = [part for part in parts[1:] if part.text is None or part.text != first.text]
    if not others:
        return first.open_text
    text = first.open_text()
    for part in others:
        if not _is_same(text, part.open_text()):
            raise UserError(
                f"{first.folder} and {part.folder} were trained against different language towers, so their vectors cannot be "
                "compared: load them separately"
            )
    return lambda: text


def _is_same(one: LanguageTower, other: LanguageTower) -> bool:
    if one.identity == other.identity:
        return True
    if one.width != other.width:
        return False
    cosines = (one.encode(_PROBES) * other.encode(_PROBES)).sum(1)
    return bool((cosines >= _COSINE_MIN).all())
