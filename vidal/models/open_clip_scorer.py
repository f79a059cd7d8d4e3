"""Embeds pictures and texts in one space with a model of open_clip, such as CLIP or SigLIP.

The id of the model is "MODEL/PRETRAINED", a hub id, or a local folder with open_clip_config.json. PRETRAINED may be a local
checkpoint, as in "ViT-B-32//data/epoch_32.pt".
"""

from __future__ import annotations

from pathlib import Path

import open_clip
import torch

from vidal.config.base import ModelSpec
from vidal.media.arrays import Float32Array
from vidal.models.device import choose_device
from vidal.models.protocols import Images
from vidal.models.text_batches import embed_in_batches
from vidal.models.weights import require_id


class OpenClip:
    """Embeds pictures and texts in one space with a model of open_clip. A Scorer, see vidal.models.protocols."""

    def __init__(self, spec: ModelSpec):
        self._device = choose_device(spec.device)
        name, pretrained = resolve_name(require_id(spec))
        self._model, _, self._transform = open_clip.create_model_and_transforms(
            name, pretrained=pretrained, device=self._device, load_weights=True
        )
        self._model.eval()
        self._tokenizer = open_clip.get_tokenizer(name)

    @torch.inference_mode()
    def embed_images(self, images: Images) -> Float32Array:
        """Returns (n, d) float32, L2-normalised."""
        pixels = torch.stack([self._transform(image) for image in images]).to(self._device)
        values: Float32Array = self._model.encode_image(pixels, normalize=True).float().cpu().numpy()
        return values

    def embed_texts(self, texts: list[str]) -> Float32Array:
        """Returns (n, d) float32, L2-normalised."""
        return embed_in_batches(texts, self._embed_batch)

    @torch.inference_mode()
    def _embed_batch(self, texts: list[str]) -> Float32Array:
        tokens = self._tokenizer(texts).to(self._device)
        values: Float32Array = self._model.encode_text(tokens, normalize=True).float().cpu().numpy()
        return values


def resolve_name(id_: str) -> tuple[str, str | None]:
    """Returns (name, weights): open_clip's name of the model, and the tag or file of its weights, or None if the id names none."""
    if Path(id_).is_dir():
        return f"local-dir:{id_}", None
    model, _, pretrained = id_.partition("/")
    if model in open_clip.list_models():
        return model, pretrained or None
    return f"hf-hub:{id_}", None
