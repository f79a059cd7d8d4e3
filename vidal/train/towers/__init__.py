"""The two sides of the contrastive loss: a frozen language tower, and a tower for each modality. TOWERS is the registry.

To add a tower, write a file with a subclass of ModalityTower, and add its name to TOWERS.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, TypedDict

import torch
from torch import Tensor, nn

from vidal import ids
from vidal.config.base import ModelSpec
from vidal.errors import UserError
from vidal.models.registry import SCORERS, open_model, why_unavailable
from vidal.train.media_reader import MediaReader
from vidal.train.settings import Encoder

# Each language tower is the text side of an image-text scorer of vidal.models.registry. That of conse is MiniLM; conse subtracts the mean
# vector of the class names from the vectors of texts and of pictures.
TEXT_ADAPTERS = {"minilm": "conse", "clip": "transformers", "open_clip": "open_clip"}
TOWERS = {
    "efficientnet": "vidal.train.towers.efficientnet:EfficientNetTower",
    "clip": "vidal.train.towers.clip:ClipTower",
    "open_clip": "vidal.train.towers.open_clip_tower:OpenClipTower",
}


class Architecture(TypedDict, total=False):
    """The values that are needed, besides the weights, to rebuild a saved tower.

    adapter: always present. name: the name of an open_clip model. vision_config: the configuration of a CLIP tower, as transformers
    writes it. grid: the rows and columns of patches of a CLIP tower for sounds. tube: the number of frames in a patch of the video
    tower of LanguageBind V1.5; None or absent for other towers.
    """

    adapter: str
    name: str
    vision_config: dict[str, object]
    grid: list[int] | None
    tube: int | None


@dataclass(frozen=True)
class ClipText:
    """The text side of a CLIP model of the library transformers.

    state: the weights, by their names in CLIPModel. config: the model's text_config, as a dict. tokenizer: the model's tokenizer.
    """

    state: dict[str, Tensor]
    config: dict[str, object]
    tokenizer: Any


class LanguageTower(Protocol):
    """A frozen language tower, which turns texts into vectors.

    name: the name of its model. identity: a string that changes with its weights. width: the length of its vectors.
    """

    name: str
    identity: str
    width: int

    def encode(self, texts: list[str]) -> Tensor:
        """Returns the features of n texts, (n, width) float32, L2-normalised, on the CPU and without gradients."""

    def clip_text(self) -> ClipText:
        """Returns the tower's weights, configuration and tokenizer. Raises UserError if the tower is not a CLIP model of transformers."""


class TextTower:
    """A LanguageTower that is the text side of an image-text scorer. spec.adapter: a key of TEXT_ADAPTERS."""

    def __init__(self, spec: ModelSpec):
        if spec.adapter not in TEXT_ADAPTERS:
            raise UserError(f"train.text: no adapter {spec.adapter!r}: choose from {', '.join(TEXT_ADAPTERS)}")
        scorer = spec.model_copy(update={"adapter": TEXT_ADAPTERS[spec.adapter]})
        if why := why_unavailable(SCORERS, scorer):
            raise UserError(f"train.text: {why}")
        self.name = f"{spec.adapter} {spec.id or ''}".strip()
        adapter = SCORERS[scorer.adapter]
        self.identity = ids.fingerprint([spec.adapter, adapter.version, *adapter.weights.identity(scorer)])
        self._scorer = open_model(SCORERS, scorer)
        self.width = self.encode(["a"]).shape[1]

    def encode(self, texts: list[str]) -> Tensor:
        """Returns the features of n texts, (n, width) float32, L2-normalised, on the CPU and without gradients."""
        return torch.from_numpy(self._scorer.embed_texts(texts))

    def clip_text(self) -> ClipText:
        if not self.name.startswith("clip "):
            raise UserError(f"the language tower {self.name} cannot be exported: train with adapter clip in train.text")
        model, tokenizer = self._scorer.model, self._scorer.tokenizer
        state = {name: value.cpu() for name, value in model.state_dict().items() if name.startswith("text_")}
        return ClipText(state, model.config.text_config.to_dict(), tokenizer)


class ModalityTower(nn.Module):
    """Maps pictures, (n, 3, h, w), or videos, (n, t, 3, h, w), to features, (n, width) float.

    A spectrogram of a sound counts as a picture. The tower gets pixels that are normalised with `mean` and `std`, both (3,). Its features
    are not normalised. reader: None for vidal's towers. A tower of another project may have a reader, which reads and normalises media as
    that project does; the tower then gets the arrays of the reader.
    """

    mean: Tensor
    std: Tensor
    architecture: Architecture
    reader: MediaReader | None = None

    def __init__(self, mean: tuple[float, ...], std: tuple[float, ...]):
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean), persistent=False)
        self.register_buffer("std", torch.tensor(std), persistent=False)

    def tune(self, settings: Encoder) -> None:
        """Freezes weights and adds adapters, as settings.tuning says. Called after the initial weights have been loaded.

        This base class does nothing; a subclass for training overrides the method.
        """

    def checkpoint_activations(self) -> None:
        """Makes the backward pass recompute activations, which saves memory. Raises UserError if the tower cannot do so."""
        raise UserError(
            "train.checkpoint_activations: only a tower of adapter clip can recompute activations: set this key to false"
        )
