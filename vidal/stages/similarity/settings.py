"""The model that compares frames and texts."""

from __future__ import annotations

from vidal.config.base import ModelSpec, Settings


class Similarity(Settings):
    """The column `similarity` and the scores whose names begin with `similarity_` compare the frames of a clip with texts."""

    model: ModelSpec
    """Model that compares them."""
