"""Code that every peer (an encoder of another project) uses: its language tower, and its conversion to an encoder of vidal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from vidal import ids
from vidal.config.base import ModelSpec
from vidal.errors import UserError
from vidal.media.arrays import Float32Array
from vidal.models.availability import Weights
from vidal.models.text_batches import embed_in_batches
from vidal.train.loading import Part
from vidal.train.settings import Encoder, Modality
from vidal.train.towers import ClipText, LanguageTower, ModalityTower


class PeerText:
    """The language tower of a peer (an encoder of another project).

    embed: returns the vectors of n texts, (n, width). It is called with at most text_batches.BATCH texts at a time.
    """

    def __init__(self, spec: ModelSpec, weights: Weights, embed: Callable[[list[str]], Tensor]):
        self.name = f"{spec.adapter} {spec.id}"
        self.identity = ids.fingerprint([spec.adapter, *weights.identity(spec)])
        self._embed = embed
        self.width = self.encode(["a"]).shape[1]

    def encode(self, texts: list[str]) -> Tensor:
        """Returns the features of n texts, (n, width) float32, L2-normalised, on the CPU and without gradients."""
        return torch.from_numpy(embed_in_batches(texts, self._batch))

    def clip_text(self) -> ClipText:
        raise UserError(f"{self.name} can only be evaluated: its language tower cannot be exported")

    @torch.inference_mode()
    def _batch(self, texts: list[str]) -> Float32Array:
        values: Float32Array = F.normalize(self._embed(texts).float(), dim=-1).cpu().numpy()
        return values


def part_of(spec: ModelSpec, towers: Mapping[Modality, ModalityTower], text: LanguageTower) -> Part:
    """Returns a peer (an encoder of another project) in the form of an encoder of vidal, so that both are used alike."""
    # The settings only name the model: the readers of the towers know the sizes of their inputs.
    settings = {modality: Encoder(model=spec, tuning="frozen") for modality in towers}
    return Part(Path(str(spec.id)), dict(towers), settings, None, lambda: text)


def require_weights(spec: ModelSpec, weights: Weights) -> None:
    """Raises UserError if the weights that the spec names cannot be loaded here; the error says how to fix that."""
    if why := weights.why_unavailable(spec):
        raise UserError(f"--checkpoint {spec.adapter}:{spec.id}: {why}")
