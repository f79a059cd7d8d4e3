"""The model that compares frames and texts."""

from __future__ import annotations

from vidal.config.base import ModelSpec, Settings


class Similarity(Settings):
    """The column `similarity` and the scores whose names begin with `similarity_` say how well the frames of a clip agree with texts."""

    model: ModelSpec
    """Model that compares pictures with texts."""
