"""Reads media for ImageBind. Pictures, videos and sounds are read as in its published loaders.

ImageBind published no loader for depth and thermal. vidal reads them as follows, and results on them may differ from the paper's:
- Depth is converted to disparity, as in Omnivore (Girdhar et al. 2022), with the baseline and focal length of the first Kinect, which
  recorded NYU-D. The disparity is divided by 75, and then normalised with Omnivore's mean and standard deviation, 0.0418 and 0.0295.
  These two numbers fit the files of SUN RGB-D. The files hold eight times the depth in millimetres. So vidal multiplies its depth by
  eight before the conversion. Depth that is not metric raises UserError.
- Thermal is one channel in 0..1. It is not normalised further. A user of ImageBind tried LLVIP with and without a normalisation (pull
  request 73 of ImageBind's repository). Without it, the accuracy was closer to the paper's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from vidal.errors import UserError
from vidal.media.arrays import Float32Array
from vidal.train import frames, inputs
from vidal.train.media_reader import MediaReader
from vidal.train.towers.clip import MEAN, STD

CLIP_S = 2
SOUND_CLIPS, MEL_BINS, FBANK_FRAMES = 3, 128, 204
FBANK_MEAN, FBANK_STD = -4.268, 9.138
VIDEO_CLIPS, CROPS, CLIP_FRAMES = 5, 3, 2
BASELINE_M, FOCAL_PIXELS = 0.075, 518.857901
DEPTH_SCALE, DEPTH_MIN_M, DEPTH_MAX_M = 8, 0.01, 50.0
DISPARITY_MAX, DISPARITY_MEAN, DISPARITY_STD = 75.0, 0.0418, 0.0295
_UNKNOWN_FPS = 25.0


class ImageBindReader(MediaReader):
    """Reads media as ImageBind does.

    sides: the width of the square pictures that each network takes, in pixels, under the keys "vision", "depth" and "thermal".
    """

    first_channel = True  # As in torchaudio's fbank.
    items_max = 8  # Each video has 15 views.

    def __init__(self, sides: dict[str, int]):
        self._sides = sides

    def picture(self, image: Image.Image) -> Float32Array:
        """Returns (3, 1, side, side) float32, normalised: one frame, which ImageBind's network repeats, because it takes videos."""
        pixels = inputs.square_array(image, self._sides["vision"]).astype(np.float32) / 255
        normal = (pixels - _channels(MEAN)) / _channels(STD)
        return normal[:, None].astype(np.float32)

    def infrared(self, image: Image.Image) -> Float32Array:
        """Returns (1, side, side) float32 in 0..1."""
        square = inputs.scaled_square(image.convert("L"), self._sides["thermal"])
        return (np.asarray(square, np.float32)[None] / 255).astype(np.float32)

    def depth(self, stored: Float32Array, kind: str | None) -> Float32Array:
        """Returns normalised disparity, (1, side, side) float32. Raises UserError if the depth is not metric."""
        if kind != "metric":
            raise UserError(
                f"ImageBind computes disparity from metric depth, but the kind of this depth is {kind or 'unknown'}: use metric depth"
            )
        metres = np.clip(stored / 1000 * DEPTH_SCALE, DEPTH_MIN_M, DEPTH_MAX_M)
        disparity = np.minimum(BASELINE_M * FOCAL_PIXELS / metres, DISPARITY_MAX) / DISPARITY_MAX
        image = Image.fromarray(disparity.astype(np.float32))
        square = inputs.scaled_square(image, self._sides["depth"], method=Image.Resampling.BILINEAR)
        return ((np.asarray(square, np.float32) - DISPARITY_MEAN) / DISPARITY_STD).astype(np.float32)[None]

    def choose_frames(self, total: int, fps: float, excerpt: frames.Excerpt | None) -> list[int]:
        """Returns ten indices: those of the first and the last frame of each of five spans of two seconds.

        The spans are distributed evenly over the video, or over the excerpt if it is not None.
        """
        fps = fps or _UNKNOWN_FPS
        if excerpt is not None and excerpt.end_s:
            total = max(1, min(total, math.ceil(excerpt.end_s * fps)))
        chosen: list[int] = []
        for start_s in clip_starts_s(total / fps, VIDEO_CLIPS):
            last = min(math.ceil(fps * (start_s + CLIP_S)), total) - 1
            chosen += [min(math.ceil(fps * start_s), last), last]
        return chosen

    def video(self, pictures: Sequence[Image.Image]) -> Float32Array:
        """Returns (15, 3, 2, side, side) float32: 15 pieces of a video, each with three colours and two frames.

        pictures: ten frames, the first and the last of each of five spans of two seconds. Each span is cropped at three places.
        """
        pairs = zip(pictures[::CLIP_FRAMES], pictures[1::CLIP_FRAMES], strict=True)
        return np.concatenate([self._crops(list(pair)) for pair in pairs])

    def video_views(self, path: Path, times: int, crops: int) -> Float32Array:
        """Returns 15 views of a video file, (15, 3, 2, side, side) float32: three crops of each of five stretches of two seconds.

        A view has three channels and two frames. Raises UserError unless times is 5 and crops is 3.
        """
        if (times, crops) != (VIDEO_CLIPS, CROPS):
            raise UserError(
                f"ImageBind takes {VIDEO_CLIPS} excerpts of a video and {CROPS} crops of each excerpt, not {times} and {crops}: "
                f"set the benchmark's `views` to ({VIDEO_CLIPS}, {CROPS})"
            )
        return self.video(frames.chosen(path, self.choose_frames))

    def sound(self, samples: Float32Array) -> Float32Array:
        """Returns the spectrograms of three excerpts of two seconds, spread evenly over the sound, (3, 1, 128, 204) float32."""
        starts = clip_starts_s(len(samples) / inputs.SAMPLE_RATE, SOUND_CLIPS)
        spans = [(int(start * inputs.SAMPLE_RATE), int((start + CLIP_S) * inputs.SAMPLE_RATE)) for start in starts]
        return np.stack([_spectrogram(samples[first:last]) for first, last in spans])

    def _crops(self, clip: list[Image.Image]) -> Float32Array:
        """Returns three square crops of a clip, at the start, the middle and the end of its longer side.

        clip: two frames. The shape of the result is (crops, colours, frames, side, side).
        """
        pixels = np.stack([np.asarray(each.convert("RGB"), np.float32) / 255 for each in clip], axis=1)
        scaled = _short_side_scaled(torch.from_numpy(pixels.transpose(3, 1, 0, 2).copy()), self._sides["vision"])
        normal = (scaled.numpy() - _channels(MEAN)[:, None]) / _channels(STD)[:, None]
        return np.stack([_crop(normal, self._sides["vision"], place) for place in range(CROPS)])


def clip_starts_s(duration_s: float, count: int) -> list[Fraction]:
    """Returns the times in seconds at which `count` excerpts begin. Each excerpt is two seconds long (CLIP_S).

    The excerpts are evenly spread. If the video or sound is shorter than one excerpt, all begin at 0. The times are fractions, as in
    pytorchvideo: with a rounded time, an excerpt could begin one frame late.
    """
    step = Fraction(max(duration_s - CLIP_S, 0.0)) / (count - 1)
    return [step * place for place in range(count)]


def _spectrogram(samples: Float32Array) -> Float32Array:
    """Returns a normalised spectrogram, (1, 128, 204). A short sound is padded with zeros before the normalisation."""
    energies = inputs.log_mel_energies(samples, MEL_BINS)[:, :FBANK_FRAMES]
    padded = np.pad(energies, ((0, 0), (0, FBANK_FRAMES - energies.shape[1])))
    return ((padded - FBANK_MEAN) / FBANK_STD).astype(np.float32)[None]


def _short_side_scaled(video: Tensor, side: int) -> Tensor:
    """Returns a video, (3, t, h, w), scaled so that its shorter side is `side`: bilinear without antialiasing, as in pytorchvideo."""
    height, width = video.shape[2:]
    wide, high = (math.floor(length / min(height, width) * side) for length in (width, height))
    size = (high, side) if width < height else (side, wide)
    return F.interpolate(video, size=size, mode="bilinear", align_corners=False)


def _crop(video: Float32Array, side: int, place: int) -> Float32Array:
    """Returns a square of a video, (3, t, side, side). place: 0, 1 or 2 for the start, middle or end of the longer side."""
    height, width = video.shape[2:]
    top, left = (math.ceil((length - side) / 2) for length in (height, width))
    if height > width:
        top = (0, top, height - side)[place]
    else:
        left = (0, left, width - side)[place]
    return video[:, :, top : top + side, left : left + side]


def _channels(values: tuple[float, ...]) -> Float32Array:
    return np.asarray(values, np.float32).reshape(3, 1, 1)
