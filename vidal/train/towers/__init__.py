"""The two sides of the loss: frozen language towers, and a tower for each modality. A dict is the registry.

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

# Each language tower is the text side of an image-text scorer. The text side of conse is MiniLM. conse subtracts the mean of
# the class names from the vectors of texts, as from those of pictures.
TEXT_ADAPTERS = {"minilm": "conse", "clip": "transformers", "open_clip": "open_clip"}
TOWERS = {
    "efficientnet": "vidal.train.towers.efficientnet:EfficientNetTower",
    "clip": "vidal.train.towers.clip:ClipTower",
    "open_clip": "vidal.train.towers.open_clip_tower:OpenClipTower",
}


class Architecture(TypedDict, total=False):
    """The values that are needed, besides the weights, to rebuild a saved tower.

    adapter: always present. name: of an open_clip model. vision_config: of a CLIP tower, as transformers writes it. grid: the rows and
    columns of patches of a CLIP tower for sounds. tube: the frames of a patch of a CLIP tower for videos,
    if it is one of LanguageBind's V1.5.
    """

    adapter: str
    name: str
    vision_config: dict[str, object]
    grid: list[int] | None
    tube: int | None


@dataclass(frozen=True)
class ClipText:
    """The language tower of a CLIP. state: its weights, by their names in CLIPModel. tokenizer: of transformers."""

    state: dict[str, Tensor]
    config: dict[str, object]
    tokenizer: Any


class LanguageTower(Protocol):
    """A frozen language tower. name: of the model. identity: changes with its weights. width: the length of its features."""

    name: str
    identity: str
    width: int

    def encode(self, texts: list[str]) -> Tensor:
        """Returns (n, width) float32, L2-normalised, on the CPU and without gradients."""

    def clip_text(self) -> ClipText:
        """Returns the tower as CLIP of transformers stores it. Raises UserError for a tower of another kind."""


class TextTower:
    """A LanguageTower: the text side of a scorer."""

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
        """Returns (n, width) float32, L2-normalised, on the CPU and without gradients."""
        return torch.from_numpy(self._scorer.embed_texts(texts))

    def clip_text(self) -> ClipText:
        if not self.name.startswith("clip "):
            raise UserError(
                f"the language tower {self.name} is not a CLIP of transformers, and no other can be exported"
            )
        model, tokenizer = self._scorer.model, self._scorer.tokenizer
        state = {name: value.cpu() for name, value in model.state_dict().items() if name.startswith("text_")}
        return ClipText(state, model.config.text_config.to_dict(), tokenizer)


class ModalityTower(nn.Module):
    """Maps normalised pictures, (n, 3, h, w), or videos, (n, t, 3, h, w), to features, (n, width) float, which are not normalised.

    mean, std: (3,), to normalise pictures with. reader: reads the media of a tower of another project in its own way; a tower with a
    reader takes the reader's arrays, which are normalised already.
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
        """Freezes the weights that `tuning` does not train, and adds adapters. Called after the weights to start from were loaded."""

    def checkpoint_activations(self) -> None:
        """Makes the backward pass compute activations again, which saves memory. Raises UserError for a tower that cannot do so."""
        raise UserError(
            "train.checkpoint_activations: only adapter clip can compute its activations again: set this key to false"
        )
