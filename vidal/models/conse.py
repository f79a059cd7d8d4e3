"""ConSE (Norouzi et al. 2014): pictures and texts in one space from a classifier and a sentence model, without training.

The vector of a picture is the mean of the class names' embeddings, weighted by the classifier's probabilities. The unweighted mean of
the class names' embeddings is subtracted from the vectors of pictures and of texts; without this, the same text is nearest to every
picture. Only things that ImageNet has a class for are recognised.
"""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import numpy as np

from vidal import ids
from vidal.config.base import ModelSpec
from vidal.media.arrays import Float32Array
from vidal.models.classifier import class_names, shared_classifier
from vidal.models.once import once
from vidal.models.protocols import Images
from vidal.models.sentences import MiniLM, revision
from vidal.storage import machine_cache


@once
def class_embeddings() -> Float32Array:
    """Returns (1000, 384) float32, L2-normalised: MiniLM's embeddings of the class names.

    They take seconds to compute, so they are cached in a file.
    """
    names = class_names()

    def make(folder: Path) -> None:
        np.save(folder / "classes.npy", MiniLM()(names))

    digest = ids.fingerprint([revision(), names, version("torch"), version("transformers")])
    values: Float32Array = np.load(machine_cache.folder(f"conse-{digest[:16]}", make) / "classes.npy", mmap_mode="r")
    return values


class Conse:
    """Embeds pictures and texts in one space, so that their dot product says how well they agree. It is a Scorer of models.protocols."""

    def __init__(self, spec: ModelSpec):
        self._classifier = shared_classifier()
        self._sentences = MiniLM()
        names = class_embeddings()
        self._centre = names.mean(axis=0)
        self._classes = names - self._centre

    def embed_images(self, images: Images) -> Float32Array:
        """Returns (n, 384) float32, L2-normalised."""
        return _unit(self._classifier(images) @ self._classes)

    def embed_texts(self, texts: list[str]) -> Float32Array:
        """Returns (n, 384) float32, L2-normalised."""
        return _unit(self._sentences(texts) - self._centre)


def _unit(vectors: Float32Array) -> Float32Array:
    values: Float32Array = (vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)).astype(
        np.float32
    )
    return values
