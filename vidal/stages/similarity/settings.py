"""The model that compares frames and texts."""

from __future__ import annotations

from vidal.config.base import ModelSpec, Settings


class Similarity(Settings):
    model: ModelSpec
    """Compares frames with texts."""
