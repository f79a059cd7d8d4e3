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
    """The model; null leaves this view out."""
    mode: Literal["own", "paper"] = "own"
    """`own` or `paper`, as described above the table."""
    short_side: int | None = Field(default=None, ge=16)
    """Short side of the stored pictures in pixels, but never more than that of the frames. null means the default of the mode: that
    of the frames for own, 256 for paper."""

    @model_validator(mode="after")
    def _paper(self) -> Self:
        if self.mode == "paper" and self.model and self.model.adapter != self.paper_adapter:
            raise ValueError(
                f"mode paper needs the adapter {self.paper_adapter}, not {self.model.adapter}: change the adapter or the mode"
            )
        return self
