"""The settings that all views estimated from frames share: a model, a mode, the size of the stored pictures."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, model_validator
from typing_extensions import Self

from vidal.config.base import ModelSpec, ViewSettings


class FrameViewSettings(ViewSettings):
    """The settings of a view that a model estimates from frames. Mode paper repeats VIDAL-10M's own script.

    paper_adapter: the only adapter that mode paper allows.
    """

    paper_adapter: ClassVar[str]

    model: ModelSpec | None = None
    """The model."""
    mode: Literal["own", "paper"] = "own"
    """Explained above this table."""
    short_side: int | None = Field(default=None, ge=16)
    """Short side of the stored pictures, in pixels, at most that of the frames. With `mode: own`, `null` means the short
    side of the frames. With `mode: paper`, it means 256."""

    @model_validator(mode="after")
    def _paper(self) -> Self:
        if self.mode == "paper" and self.model and self.model.adapter != self.paper_adapter:
            raise ValueError(
                f"mode paper needs the adapter {self.paper_adapter}, not {self.model.adapter}: change the adapter or the mode"
            )
        return self
