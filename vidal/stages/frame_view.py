"""A view with one picture a frame, made by a model: what depth and infrared share. Frames of several clips go to it at once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from PIL import Image

from vidal.pipeline.stage import Output, Record, ViewOutcome
from vidal.schema import Reason, Status, View
from vidal.stages import pictures
from vidal.storage.storage import Storage


class FrameView(ABC):
    """A worker that is Batched. batch_size: pictures that the model is given at a time; None is those of one clip."""

    def __init__(self, view: View, storage: Storage, batch_size: int | None, has_model: bool):
        self._view, self._storage = view, storage
        self._batch_size, self._has_model = batch_size, has_model

    @abstractmethod
    def _infer(self, images: list[Image.Image], places: list[tuple[Record, int]]) -> list[Any]:
        """What the model makes of each picture. places: the clip that it is of, and which of its frames."""

    @abstractmethod
    def _row(self, clip: Record, images: list[Image.Image], made: list[Any]) -> Record:
        """Stores a clip's pictures and gives its row. images: the frames that they were made of."""

    @abstractmethod
    def _empty(self, clip: Record) -> Record: ...

    def size(self, clip: Record) -> int:
        return len(clip["frame_paths"])

    def __call__(self, clip: Record) -> Output:
        return self.many([clip])[0]

    def many(self, clips: list[Record]) -> list[Output]:
        present = [clip for clip in clips if clip["frame_paths"] and self._has_model]
        rows = dict(zip((clip["clip_id"] for clip in present), self._rows(present), strict=True))
        return [self._output(clip, rows.get(clip["clip_id"])) for clip in clips]

    def _rows(self, clips: list[Record]) -> list[Record]:
        frames = [pictures.load(self._storage, clip["frame_paths"]) for clip in clips]
        pairs = [(im, (clip, at)) for clip, images in zip(clips, frames, strict=True) for at, im in enumerate(images)]
        size = self._batch_size or max(map(len, frames), default=1)
        made: list[Any] = []
        for start in range(0, len(pairs), size):
            batch = pairs[start : start + size]
            made += self._infer([image for image, _ in batch], [place for _, place in batch])
        rest = iter(made)
        return [
            self._row(clip, images, [next(rest) for _ in images]) for clip, images in zip(clips, frames, strict=True)
        ]

    def _output(self, clip: Record, row: Record | None) -> Output:
        if row is not None:
            return Output([row], (ViewOutcome(self._view, Status.KEPT),))
        if not clip["frame_paths"]:
            why = ViewOutcome(self._view, Status.DROPPED, Reason.NO_FRAMES)
        else:
            detail = f"the recipe names no {self._view.value} model"
            why = ViewOutcome(self._view, Status.DROPPED, Reason.NO_ESTIMATOR, detail)
        return Output([self._empty(clip)], (why,))
