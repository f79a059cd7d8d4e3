"""The encoders that can be evaluated: a trained one, LanguageBind's own, and the towers of a recipe before training."""

from __future__ import annotations

import torch

from vidal.errors import UserError
from vidal.models.device import choose_device
from vidal.train.encoder import BoundEncoder
from vidal.train.loading import load_encoder
from vidal.train.opening import open_text_tower, open_tower
from vidal.train.settings import Encoder, Modality

UNTRAINED = "recipe:"


def open_encoder(checkpoint: str) -> BoundEncoder:
    """Opens an encoder. checkpoint: a folder, or recipe:NAME for the towers of a recipe before training. Raises UserError."""
    if checkpoint.startswith(UNTRAINED):
        return untrained(checkpoint.removeprefix(UNTRAINED))
    return load_encoder(checkpoint)


def untrained(recipe: str) -> BoundEncoder:
    """Returns an encoder of all modalities of the recipe. If none is for images, the tower of video or another encodes them."""
    from vidal.config.loading import load_recipe

    settings = load_recipe(recipe, ()).train
    if not settings.modalities:
        raise UserError(f"recipe {recipe} names no modality under train.modalities")
    first = settings.modalities.get(Modality.VIDEO) or next(iter(settings.modalities.values()))
    image = Encoder.model_validate({"model": first.model, "side": first.side})
    wanted = {Modality.IMAGE: image, **settings.modalities}
    text = open_text_tower(settings.text)
    torch.manual_seed(settings.seed)
    towers = {modality: open_tower(modality, each, text.width) for modality, each in wanted.items()}
    device = torch.device(choose_device())
    return BoundEncoder(towers, wanted, lambda: text, device)
