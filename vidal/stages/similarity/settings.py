"""The model that compares frames and texts."""

from __future__ import annotations

from vidal.config.base import ModelSpec, Settings


class Similarity(Settings):
    model: ModelSpec
    """The model that compares frames with texts."""
