"""Reads the embeddings from the output of a model of the library transformers, which calls them features."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.nn import functional as F

from vidal.media.arrays import Float32Array


def features_of(output: Any) -> Tensor:
    """Returns the features in the output of a model's get_..._features method, as a tensor (n, d).

    In transformers 5, the output is an object that contains this tensor. In earlier versions, the output is the tensor itself.
    """
    tensor: Tensor = getattr(output, "pooler_output", output)
    return tensor


def unit_features(output: Any) -> Float32Array:
    """Returns features as an array, (n, d) float32, L2-normalised. output: what a get_..._features method of a model has returned."""
    values: Float32Array = F.normalize(features_of(output).float(), dim=-1).cpu().numpy()
    return values
