"""How the clips of a dataset are split into those for training, for validation and for testing."""

from __future__ import annotations

from pydantic import Field, model_validator

from vidal.config.base import Settings


class Split(Settings):
    """The shares of the splits `train`, `val` and `test`, which must sum to 1.

    All clips that were cut from one video or sound have the same split.
    """

    train: float = Field(default=0.98, ge=0, le=1)
    """Share to train on."""
    val: float = Field(default=0.01, ge=0, le=1)
    """Share to choose settings with."""
    test: float = Field(default=0.01, ge=0, le=1)
    """Share to report results on."""

    @model_validator(mode="after")
    def _sum(self) -> Split:
        if abs(self.train + self.val + self.test - 1) > 1e-9:
            raise ValueError(f"train, val and test must sum to 1, not {self.train + self.val + self.test:.10g}")
        return self
