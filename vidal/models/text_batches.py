"""Embeds texts in batches of similar length, so that memory does not grow with the number of texts and there is little padding."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from vidal.media.arrays import Float32Array

# A batch of 77 tokens needs about 100 MB in the text tower of ViT-L/14.
BATCH = 64


def embed_in_batches(texts: list[str], embed: Callable[[list[str]], Float32Array]) -> Float32Array:
    """Returns (n, d) float32, the result of `embed` for each text, in the order of the texts.

    embed: returns (m, d) float32 for m texts, at most BATCH. If there are no texts, it is called once with an empty text to learn d.
    """
    if not texts:
        return embed([""])[:0]
    order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
    vectors: Float32Array | None = None
    for start in range(0, len(order), BATCH):
        batch = order[start : start + BATCH]
        embedded = embed([texts[place] for place in batch])
        if vectors is None:
            vectors = np.empty((len(texts), embedded.shape[1]), np.float32)
        vectors[batch] = embedded
    assert vectors is not None
    return vectors
