"""Opens the encoders to evaluate: those of vidal, of LanguageBind and of other projects (peers), and the untrained towers of a recipe."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from vidal.errors import UserError
from vidal.evaluate.peers import find_peer
from vidal.evaluate.table import OURS
from vidal.models.device import choose_device
from vidal.train import published, saved
from vidal.train.encoder import BoundEncoder
from vidal.train.loading import Part, join_encoders, load_part
from vidal.train.opening import open_text_tower, open_tower
from vidal.train.settings import Encoder, Modality, Train

UNTRAINED = "recipe:"


def open_encoder(*checkpoints: str) -> BoundEncoder:
    """Opens an encoder, or joins several that were trained separately into one.

    checkpoints: folders, KIND:ID for an encoder of another project, or recipe:NAME for the towers of a recipe before training. Raises
    UserError if a checkpoint is unknown or cannot be opened, or if encoders cannot be joined.
    """
    device = torch.device(choose_device())
    return join_encoders([_open_part(each, device) for each in checkpoints], device)


def _open_part(checkpoint: str, device: torch.device) -> Part:
    if checkpoint.startswith(UNTRAINED):
        return _untrained(checkpoint.removeprefix(UNTRAINED), device)
    if peer := find_peer(checkpoint):
        return peer.open(device)
    return load_part(Path(checkpoint), device)


def _untrained(recipe: str, device: torch.device) -> Part:
    """Returns the towers of a recipe, untrained.

    If the recipe has no tower for images, one is added. It has the model of the video tower or, if there is none, of the first tower.
    """
    settings = _recipe(recipe)
    first = settings.modalities.get(Modality.VIDEO) or next(iter(settings.modalities.values()))
    image = Encoder.model_validate({"model": first.model, "side": first.side})
    wanted = {Modality.IMAGE: image, **settings.modalities}
    text = open_text_tower(settings.text, device)
    torch.manual_seed(settings.seed)
    towers = {modality: open_tower(modality, each, text.width) for modality, each in wanted.items()}
    return Part(Path(recipe), towers, wanted, settings.text, lambda: text)


def modalities_of(checkpoints: Sequence[str]) -> frozenset[str]:
    """Returns the modalities that at least one of the encoders has. Their weights are not loaded.

    checkpoints: folders, KIND:ID for an encoder of another project, or recipe:NAME for the untrained towers of a recipe. Raises UserError
    if a checkpoint is unknown, or if its configuration cannot be read.
    """
    return frozenset(modality.value for each in checkpoints for modality in _modalities(each))


def results_folder(checkpoints: Sequence[str]) -> Path | None:
    """Returns the folder in which results are stored: the first checkpoint that is a folder; None if none is.

    Raises UserError if a checkpoint has the form KIND:ID, but the kind is unknown or the id is empty.
    """
    for checkpoint in checkpoints:
        if not checkpoint.startswith(UNTRAINED):
            peer = find_peer(checkpoint)
            if peer is None or peer.id == checkpoint:
                return Path(checkpoint)
    return None


def title_of(checkpoints: Sequence[str]) -> str:
    """Returns the heading for the results of these encoders.

    If all of them come from other projects, the heading names their kinds, such as "OpenCLIP + CLAP here". Otherwise it is "ours".
    """
    peers = [None if each.startswith(UNTRAINED) else find_peer(each) for each in checkpoints]
    titles = [peer.kind.title for peer in peers if peer]
    return f"{' + '.join(titles)} here" if titles and len(titles) == len(peers) else OURS


def _modalities(checkpoint: str) -> list[Modality]:
    if checkpoint.startswith(UNTRAINED):
        return [Modality.IMAGE, *_recipe(checkpoint.removeprefix(UNTRAINED)).modalities]
    if peer := find_peer(checkpoint):
        return list(peer.kind.modalities)
    folder = Path(checkpoint)
    config = saved.read_json(folder)
    if published.is_published(config):
        return [published.MODALITIES[str(config["model_type"])]]
    return list(saved.settings_of(saved.checked(folder, config)))


def _recipe(name: str) -> Train:
    from vidal.config.loading import load_recipe

    settings = load_recipe(name, ()).train
    if not settings.modalities:
        raise UserError(f"recipe {name} names no modality under train.modalities: add at least one")
    return settings
