"""A view with one picture per frame, estimated by a model that gets the frames of several clips at once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Generic, TypeVar

import numpy as np
from PIL import Image

from vidal.config.base import ModelSpec
from vidal.media.display import short_side_size
from vidal.pipeline.stage import Output, ViewOutcome
from vidal.records import Clip
from vidal.schema import Reason, Status
from vidal.stages import pictures
from vidal.stages.frame_view_settings import FrameViewSettings
from vidal.storage.storage import Storage

EstimateT = TypeVar("EstimateT")


class FrameView(ABC, Generic[EstimateT]):
    """The base of the workers that compute views such as depth. It implements Batched (vidal.pipeline.stage).

    batch_size: the largest number of pictures that the model gets at a time. If it is None, each call of `many` uses the number of
    frames of its largest clip.
    """

    view: str
    # From VIDAL-10M's own scripts: the size that pictures are forced to, (width, height), and the short side that is stored.
    paper_input: tuple[int, int]
    paper_short_side: int
    resampling: Image.Resampling

    def __init__(self, settings: FrameViewSettings, storage: Storage, batch_size: int | None):
        self._storage, self._batch_size = storage, batch_size
        self._has_model, self._is_paper = settings.model is not None, settings.mode == "paper"
        self._short_side = settings.short_side or (self.paper_short_side if self._is_paper else None)

    @abstractmethod
    def _infer(self, images: list[Image.Image], places: list[tuple[Clip, int]]) -> list[EstimateT]:
        """Returns the model's estimate for each picture. places: the clip of each picture, and its index among the clip's frames."""

    @abstractmethod
    def _row(self, clip: Clip, images: list[Image.Image], estimates: list[EstimateT]) -> Mapping[str, object]:
        """Stores the pictures of a clip and returns its row. images: the frames of the clip. estimates: one for each frame."""

    @abstractmethod
    def _empty(self, clip: Clip) -> Mapping[str, object]:
        """Returns the row of a clip that lacks the view."""

    def size(self, clip: Clip) -> int:
        return len(clip["frame_paths"])

    def __call__(self, clip: Clip) -> Output:
        return self.many([clip])[0]

    def many(self, clips: list[Clip]) -> list[Output]:
        present = [clip for clip in clips if clip["frame_paths"] and self._has_model]
        rows = dict(zip((clip["clip_id"] for clip in present), self._rows(present), strict=True))
        return [self._output(clip, rows.get(clip["clip_id"])) for clip in clips]

    def _rows(self, clips: list[Clip]) -> list[Mapping[str, object]]:
        frames = [pictures.load(self._storage, clip["frame_paths"]) for clip in clips]
        placed = [(im, (clip, at)) for clip, images in zip(clips, frames, strict=True) for at, im in enumerate(images)]
        size = self._batch_size or max(map(len, frames), default=1)
        estimates: list[EstimateT] = []
        for start in range(0, len(placed), size):
            batch = placed[start : start + size]
            estimates += self._infer([image for image, _ in batch], [place for _, place in batch])
        rest = iter(estimates)
        return [
            self._row(clip, images, [next(rest) for _ in images]) for clip, images in zip(clips, frames, strict=True)
        ]

    def _output(self, clip: Clip, row: Mapping[str, object] | None) -> Output:
        if row is not None:
            return Output([row], (ViewOutcome(self.view, Status.KEPT),))
        if not clip["frame_paths"]:
            outcome = ViewOutcome(self.view, Status.DROPPED, Reason.NO_FRAMES)
        else:
            detail = f"the recipe names no {self.view} model"
            outcome = ViewOutcome(self.view, Status.DROPPED, Reason.NO_ESTIMATOR, detail)
        return Output([self._empty(clip)], (outcome,))

    def _model_spec(self, model: ModelSpec) -> ModelSpec:
        """Returns the spec of the view's model. Its option `input` is the size to which the model resizes pictures.

        If the recipe has `mode: paper` and does not set `input`, this method sets `input` to the size in VIDAL-10M's script. In all
        other cases, the spec is returned unchanged.
        """
        if not self._is_paper:
            return model
        return model.model_copy(update={"options": {"input": list(self.paper_input), **model.options}})

    def _resized(self, values: np.ndarray) -> np.ndarray:
        """Scales an estimate, (h, w) float32, down to the short side that the recipe demands. Never enlarges it."""
        height, width = values.shape
        size = short_side_size(width, height, self._short_side) if self._short_side else (width, height)
        if size == (width, height):
            return values
        return np.asarray(Image.fromarray(values).resize(size, self.resampling))
