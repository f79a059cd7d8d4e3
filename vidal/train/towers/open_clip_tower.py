"""Any vision tower of open_clip. The features of a video are the mean of those of its frames."""

from __future__ import annotations

import open_clip
import torch
from torch import Tensor

from vidal.errors import UserError
from vidal.models.availability import OpenClipWeights
from vidal.models.open_clip_scorer import resolve_name
from vidal.models.weights import require_id
from vidal.train.settings import Encoder, Modality
from vidal.train.towers import Architecture, ModalityTower


def _size(modality: Modality, settings: Encoder) -> int | tuple[int, int]:
    """Returns the input size: the side of pictures in pixels, or (mel bins, frames) for sounds."""
    return (settings.fbank.mel_bins, settings.fbank.frames) if modality is Modality.AUDIO else settings.side


class OpenClipTower(ModalityTower):
    """A vision tower of open_clip. tuning: full, frozen, or head (the last group of layers, as open_clip groups them)."""

    def __init__(self, modality: Modality, settings: Encoder, width: int, architecture: Architecture | None):
        where = f"train.modalities.{modality.value}"
        if settings.tuning in ("lora", "attention"):
            raise UserError(
                f"{where}: adapter open_clip has no tuning {settings.tuning}: set full, head or frozen, "
                "or take adapter clip with the same model"
            )
        name, pretrained = (architecture["name"], None) if architecture else resolve_name(require_id(settings.model))
        if not architecture and (why := OpenClipWeights().why_unavailable(settings.model)):
            raise UserError(f"{where}: {why}")
        model = open_clip.create_model(
            name,
            pretrained=pretrained,
            load_weights=architecture is None,
            force_image_size=_size(modality, settings),
            force_patch_dropout=settings.patch_dropout or None,
        )
        super().__init__(tuple(model.visual.image_mean), tuple(model.visual.image_std))
        self.visual, self.architecture = model.visual, {"adapter": "open_clip", "name": name}
        if settings.tuning == "head":
            self.visual.lock(unlocked_groups=1)
        if settings.tuning == "frozen":
            self.requires_grad_(False)
        with torch.inference_mode():
            side = self.visual.image_size
            own_width = self.visual(torch.zeros(1, 3, *(side if isinstance(side, tuple) else (side, side)))).shape[1]
        if own_width != width:
            raise UserError(
                f"{where}: the features of {settings.model.id} have width {own_width}, "
                f"but those of the language tower have width {width}: name the same model in train.text"
            )

    def forward(self, pixels: Tensor) -> Tensor:
        if pixels.ndim == 5:
            mean: Tensor = self.visual(pixels.flatten(0, 1)).unflatten(0, pixels.shape[:2]).mean(1)
            return mean
        output: Tensor = self.visual(pixels)
        return output
