"""Checks the media that users pass to an encoder, and converts them to types that the encoder can read.

Users may pass paths, PIL pictures, numpy arrays and tensors. Any other type raises TypeError.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from vidal.media.arrays import Float32Array
from vidal.train import inputs

Array = npt.NDArray[Any]
PICTURE = (
    "a path, a PIL picture, an array (h, w, 3) or (h, w) of uint8, or a tensor (3, h, w) of uint8 or of floats in 0..1"
)
DEPTH = "a path, a PIL picture of 16 bits, or an array or tensor (h, w): uint16 as stored, or floats (metres, or 0..1 if not metric)"
VIDEO = "a path, an Excerpt, a list of pictures, an array (t, h, w, 3) of uint8, or a tensor (t, 3, h, w) of uint8 or of floats in 0..1"
SOUND = "a path, or an array or tensor (n,) or (channels, n): int16, int32, or floats in -1..1"


def is_one(value: object, dimensions: tuple[int, ...]) -> bool:
    """Returns whether a value is one item, not several. dimensions: the possible values of `ndim` for an array that is one item."""
    if isinstance(value, (np.ndarray, torch.Tensor)):
        return value.ndim in dimensions
    return not isinstance(value, (list, tuple)) and not _is_other_sequence(value)


def _is_other_sequence(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes))


def as_picture(item: object, caller: str) -> Path | inputs.Pictured | Image.Image:
    """Returns a picture as a PIL picture, or as something that inputs.open_picture can open.

    item: what the user passed as a picture. caller: the method that the user called, for errors.
    Raises TypeError if the item has a wrong type, shape or dtype.
    """
    if isinstance(item, (str, Path)):
        return Path(item)
    if isinstance(item, Image.Image):
        return item
    if hasattr(item, "picture"):
        pictured: inputs.Pictured = item
        return pictured
    array = _channels_last(item, 3)
    if array is None or array.dtype != np.uint8 or not _is_picture(array):
        raise wrong_type(caller, item, PICTURE)
    return Image.fromarray(array[..., 0] if array.ndim == 3 and array.shape[2] == 1 else array)


def as_frames(item: object, caller: str) -> list[Image.Image] | None:
    """Returns the frames of a video that is an array or a tensor; None for any other item.

    caller: the method that the user called, for errors. Raises TypeError for an array or a tensor of a wrong shape or dtype.
    """
    if not isinstance(item, (np.ndarray, torch.Tensor)):
        return None
    array = _channels_last(item, 4)
    if array is None or array.ndim != 4 or array.shape[3] != 3 or array.dtype != np.uint8:
        raise wrong_type(caller, item, VIDEO)
    return [Image.fromarray(frame) for frame in array]


def pictures_of(clip: object, caller: str) -> Sequence[Any]:
    """Returns the pictures of a video that is an array, a tensor or a list of pictures. Each can be passed to as_picture.

    caller: the method that the user called, for errors. Raises TypeError for any other item and for an empty list.
    """
    pictures: Any = as_frames(clip, caller)
    if pictures is None:
        pictures = clip
    if not isinstance(pictures, Sequence) or not pictures:
        raise wrong_type(caller, clip, VIDEO)
    return pictures


def as_depth(item: object, kind: str, caller: str) -> Path | inputs.Pictured | Float32Array:
    """Returns the user's depth picture as a path, a region of a file, or an array (h, w) of float32.

    A path stays a path, and a region stays a region. PIL pictures, arrays and tensors become an array. If kind is "metric", the array
    contains millimetres. Otherwise, it contains numbers in 0..65535. The depth files of a dataset contain the same numbers.

    Integers are not scaled. Floats are scaled: from metres to millimetres if kind is "metric", and otherwise from 0..1 to 0..65535.

    kind: depth_kind of the manifest. caller: the method that the user called, for errors. Raises TypeError for integers of 8 bits, and
    for anything that is not a depth picture.
    """
    if isinstance(item, (str, Path)):
        return Path(item)
    if hasattr(item, "picture"):
        pictured: inputs.Pictured = item
        return pictured
    array = np.asarray(item) if isinstance(item, Image.Image) else _array(item)
    if array is None or array.squeeze().ndim != 2 or array.dtype.kind not in "uif" or array.dtype.itemsize < 2:
        raise wrong_type(caller, item, DEPTH)
    scale = 1.0 if array.dtype.kind in "ui" else 1000.0 if kind == "metric" else inputs.DEPTH_MAX
    return array.squeeze().astype(np.float32) * np.float32(scale)


def as_samples(item: object, sample_rate: int, caller: str, wanted: int = inputs.SAMPLE_RATE) -> Path | Float32Array:
    """Converts a sound. A path stays a path. An array or tensor becomes its first channel, (n,) float32, at the rate `wanted`.

    sample_rate: the rate of an array or tensor. Rates are in Hz. caller: the method that the user called, for errors.
    Raises TypeError if the item is not a path, an array or a tensor, or if its shape or type is wrong.
    """
    if isinstance(item, (str, Path)):
        return Path(item)
    array = _array(item)
    if (
        array is None
        or array.ndim not in (1, 2)
        or (array.dtype.kind != "f" and array.dtype not in (np.int16, np.int32))
    ):
        raise wrong_type(caller, item, SOUND)
    samples = array if array.ndim == 1 else array[0]
    scale = 1 if samples.dtype.kind == "f" else -1 / np.iinfo(samples.dtype).min
    return inputs.resampled(samples.astype(np.float32) * np.float32(scale), sample_rate, wanted)


def wrong_type(caller: str, item: object, takes: str) -> TypeError:
    """Returns the error for an item of a wrong type. caller: the method that was called. takes: the items that it accepts."""
    if isinstance(item, (np.ndarray, torch.Tensor)):
        what = f"{type(item).__name__} of shape {tuple(item.shape)} and type {item.dtype}"
    else:
        what = repr(item)[:80]
    return TypeError(f"{caller}: {what}: an item must be {takes}")


def _array(item: object) -> Array | None:
    if isinstance(item, torch.Tensor):
        values: Array = item.detach().cpu().numpy()
        return values
    return item if isinstance(item, np.ndarray) else None


def _channels_last(item: object, dimensions: int) -> Array | None:
    """Returns a tensor as an array, an array unchanged, and None for any other item.

    The values of a float tensor are scaled from 0..1 to 0..255 and become uint8. The channels of a tensor are moved to the end if it
    has exactly `dimensions` dimensions.
    """
    array = _array(item)
    if array is None or not isinstance(item, torch.Tensor):
        return array
    if array.dtype.kind == "f":
        array = (array * 255).round().clip(0, 255).astype(np.uint8)
    return np.ascontiguousarray(np.moveaxis(array, -3, -1)) if array.ndim == dimensions else array


def _is_picture(array: Array) -> bool:
    return array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (1, 3, 4))
