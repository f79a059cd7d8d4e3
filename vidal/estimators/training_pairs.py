"""Reads real pictures with measured maps: RGB-D frames and aligned pairs of RGB and infrared; some are held out for the evaluation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from vidal.errors import UserError
from vidal.media.arrays import Float32Array, UInt8Array

# The depth frames show a walk through one room. The last fifth is held out, and the frames just before it are not used at all,
# because they show nearly the same.
HELD_OUT, GAP = 0.2, 0.04
# Of the road pairs, in the order of their names, every fifth run of six is held out; of the surveillance pairs, those of one camera.
RUN, EVERY, CHOSEN = 6, 5, 2
HELD_OUT_CAMERA = "llvip_2000"
SHORT_SIDE = 240


@dataclass(frozen=True)
class TrainingPair:
    """A picture and its map. rgb: (h, w, 3) uint8; target: (h, w) float32, NaN where nothing was measured."""

    name: str
    rgb: UInt8Array
    target: Float32Array

    @property
    def source(self) -> str:
        return "night surveillance (LLVIP)" if self.name.startswith("llvip") else "road (FLIR)"


def rgbd(data: Path, split: str) -> list[TrainingPair]:
    """Reads the frames of data/rgbd with their inverse depth in 1/m.

    split: "train" or "test". Test frames keep their size; training frames get a short side of SHORT_SIDE pixels. Raises UserError if
    there are no frames, or if a frame and its depth differ in size.
    """
    paths = _listed(data / "rgbd", "*.color.jpg")
    first = round(len(paths) * (1 - HELD_OUT))
    selected = paths[first:] if split == "test" else paths[: first - round(len(paths) * GAP)]
    return [_rgbd_pair(path, split) for path in selected]


def _rgbd_pair(path: Path, split: str) -> TrainingPair:
    millimetres = np.asarray(Image.open(path.with_name(path.name.replace("color.jpg", "depth.png"))), np.float32)
    known = (millimetres > 0) & (millimetres < 65_535)
    inverse = np.where(known, 1000.0 / np.where(known, millimetres, 1.0), np.nan).astype(np.float32)
    return _pair(path, inverse, split)


def rgb_ir(data: Path, split: str) -> list[TrainingPair]:
    """Reads the pairs of data/rgb_ir with infrared intensities in [0, 1].

    split: "train" or "test". Test pictures keep their size; training pictures get a short side of SHORT_SIDE pixels. Raises UserError if
    there are no pairs, or if the two pictures of a pair differ in size.
    """
    paths = _listed(data / "rgb_ir" / "visible", "*.jpg")
    night = [path for path in paths if path.name.startswith("llvip")]
    road = [path for path in paths if not path.name.startswith("llvip")]
    held_out = {path for index, path in enumerate(road) if index // RUN % EVERY == CHOSEN}
    held_out |= {path for path in night if path.name.startswith(HELD_OUT_CAMERA)}
    return [_ir_pair(path, split) for path in paths if (path in held_out) == (split == "test")]


def _ir_pair(path: Path, split: str) -> TrainingPair:
    infrared = Image.open(path.parent.parent / "infrared" / path.name).convert("L")
    return _pair(path, np.asarray(infrared, np.float32) / 255.0, split)


def _pair(path: Path, target: Float32Array, split: str) -> TrainingPair:
    rgb = Image.open(path).convert("RGB")
    if (rgb.height, rgb.width) != target.shape:
        raise UserError(
            f"{path}: the picture has {rgb.width}x{rgb.height} pixels, but its map has {target.shape[1]}x{target.shape[0]}: "
            "both must have the same size"
        )
    if split == "test":
        return TrainingPair(path.name, np.asarray(rgb), target)
    scale = SHORT_SIDE / min(rgb.size)
    size = (round(rgb.width * scale), round(rgb.height * scale))
    return TrainingPair(path.name, np.asarray(rgb.resize(size, Image.Resampling.LANCZOS)), resize_target(target, size))


def resize_target(target: Float32Array, size: tuple[int, int]) -> Float32Array:
    """Resizes a map, (h, w). size: (width, height).

    A map is resized by averaging. Averaging would spread NaN, so a map with NaN is resized by nearest-neighbour sampling instead.
    """
    resampling = Image.Resampling.NEAREST if np.isnan(target).any() else Image.Resampling.BOX
    return np.asarray(Image.fromarray(target).resize(size, resampling), np.float32)


def _listed(folder: Path, pattern: str) -> list[Path]:
    paths = sorted(folder.glob(pattern))
    if not paths:
        raise UserError(f"{folder}: no {pattern} files; --data must name the folder with rgbd/, rgb_ir/ and images/")
    return paths


def motorcycle() -> TrainingPair:
    """Returns scikit-image's stereo_motorcycle (Scharstein et al. 2014), with inverse depth from its disparity and calibration."""
    from skimage.data import stereo_motorcycle

    left_view, _, disparity = stereo_motorcycle()
    inverse = (disparity + 31.086) / (994.978 * 0.193001)
    return TrainingPair(
        "stereo_motorcycle", left_view, np.where(np.isfinite(disparity), inverse, np.nan).astype(np.float32)
    )
