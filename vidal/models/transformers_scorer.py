"""CLIP, SigLIP and SigLIP 2 as implemented by transformers, from a hub id or a local folder."""

from __future__ import annotations

from typing import Any

import torch
from transformers import AutoModel, AutoProcessor

from vidal.config.base import ModelSpec
from vidal.errors import UserError
from vidal.media.arrays import Float32Array
from vidal.models.device import choose_device
from vidal.models.features import unit_features
from vidal.models.protocols import Images
from vidal.models.strict_loading import from_pretrained
from vidal.models.text_batches import embed_in_batches
from vidal.models.weights import transformers_source

# SigLIP uses the state of the last token, and was trained with padding on the right up to its full length. Any other padding
# silently changes the vectors.
_PADDED = {"siglip", "siglip2"}


class TransformersScorer:
    """A Scorer that uses a model of transformers. Raises UserError if the model does not embed both pictures and texts."""

    def __init__(self, spec: ModelSpec):
        self._device = choose_device(spec.device)
        source, arguments = transformers_source(spec)
        self._processor = AutoProcessor.from_pretrained(source, **arguments)
        self.model = from_pretrained(AutoModel, source, **arguments).to(self._device).eval()
        if not hasattr(self.model, "get_image_features") or not hasattr(self.model, "get_text_features"):
            raise UserError(
                f"similarity model {spec.id}: {type(self.model).__name__} does not embed both pictures and texts: "
                "choose a CLIP or SigLIP model"
            )
        config = self.model.config
        self._padding: Any = "max_length" if config.model_type in _PADDED else True
        self.tokenizer = self._processor.tokenizer
        self.tokenizer.padding_side = "right"
        self._length = int(config.text_config.max_position_embeddings)

    @torch.inference_mode()
    def embed_images(self, images: Images) -> Float32Array:
        """Returns (n, d) float32, L2-normalised."""
        inputs = self._processor(images=images, return_tensors="pt").to(self._device)
        return unit_features(self.model.get_image_features(**inputs))

    def embed_texts(self, texts: list[str]) -> Float32Array:
        """Returns (n, d) float32, L2-normalised."""
        return embed_in_batches(texts, self._embed_batch)

    @torch.inference_mode()
    def _embed_batch(self, texts: list[str]) -> Float32Array:
        inputs = self._processor(
            text=texts, padding=self._padding, truncation=True, max_length=self._length, return_tensors="pt"
        )
        return unit_features(self.model.get_text_features(**inputs.to(self._device)))
