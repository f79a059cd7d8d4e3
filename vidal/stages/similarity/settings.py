"""The model that compares frames and texts."""

from __future__ import annotations

from vidal.config.base import ModelSpec, Settings


class Similarity(Settings):
    """How pictures and texts are compared, for the column similarity and the scores whose names begin with similarity_."""

    model: ModelSpec
    """The model that compares frames with texts."""
