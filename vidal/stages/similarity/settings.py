"""The model that compares frames and texts."""

from __future__ import annotations

from vidal.config.base import ModelSpec, Settings


class Similarity(Settings):
    """How frames and texts are compared."""

    model: ModelSpec
    """The model that compares frames with texts."""
