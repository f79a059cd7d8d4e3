"""Decodes media files into compact arrays (uint8 or float16), and normalises these into the float32 tensors that a tower takes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, UnidentifiedImageError

from vidal.errors import RecordError
from vidal.media.arrays import Float32Array, UInt8Array
from vidal.media.sound import read_first_channel
from vidal.schema import Reason
from vidal.train.settings import Fbank, Modality

SAMPLE_RATE = 16_000
DEPTH_MIN_M, DEPTH_MAX_M = 0.01, 10.0
DEPTH_MAX = 65535
# Mean and standard deviation of the log mel energies of AudioSet (Gong et al. 2021, AST).
FBANK_MEAN, FBANK_STD = -4.2677393, 4.5689974

Box = tuple[int, int, int, int]
Float16Array = npt.NDArray[np.float16]
ModelInput = npt.NDArray[np.uint8 | np.float16 | np.float32]


class Pictured(Protocol):
    """A picture that cannot be named by a path, such as a region of a picture file."""

    def picture(self) -> Image.Image:
        """Decodes the picture and returns it, in any mode. Raises OSError or ValueError if it cannot be decoded."""


@dataclass(frozen=True)
class Region:
    """A rectangle of a picture file. box: (left, top, right, bottom) in pixels."""

    path: Path
    box: Box

    def picture(self) -> Image.Image:
        with Image.open(self.path) as image:
            return image.crop(self.box)


def read_image(path: Path | Pictured, side: int, place: float = 0.5) -> UInt8Array:
    """Returns (3, side, side) uint8 RGB: the picture, with its shorter side scaled to `side` (bicubic), cropped to a square.

    place: the position of the square along the longer side, 0..1; 0.5 is the centre. Raises RecordError(corrupt) if the picture cannot be
    decoded.
    """
    return square_array(open_picture(path), side, place)


def square_array(image: Image.Image, side: int, place: float = 0.5) -> UInt8Array:
    """Scales the shorter side of a picture to `side` (bicubic), and crops a square. Returns (3, side, side) uint8 RGB.

    place: the position of the square along the longer side, 0..1; 0.5 is the centre.
    """
    return np.ascontiguousarray(np.asarray(scaled_square(image.convert("RGB"), side, place)).transpose(2, 0, 1))


def read_depth(path: Path | Pictured, side: int, kind: str | None, place: float = 0.5) -> Float16Array:
    """Returns a square of a depth picture, (1, side, side) float16, about 0..1; larger is farther.

    Near edges, values may be slightly below 0 or above 1, because the picture is resized with bicubic interpolation, as in LanguageBind's
    loader.

    kind: depth_kind of the manifest. "metric" depth, in millimetres, is clipped to 0.01..10 m and divided by 10 m, as in LanguageBind's
    loader. Any other depth is divided by 65535. "inverse_relative" depth is then subtracted from 1. place: the position of the square
    along the longer side, 0..1; 0.5 is the centre.

    Raises RecordError(corrupt) if the picture cannot be decoded, or has more than one channel.
    """
    return depth_array(stored_depth(path), side, kind, place)


def stored_depth(path: Path | Pictured) -> Float32Array:
    """Returns the stored values of a depth picture, (h, w) float32, unscaled.

    Raises RecordError(corrupt) if it cannot be decoded, or if it has more than one channel.
    """
    stored = np.asarray(open_picture(path)).astype(np.float32)
    if stored.ndim != 2:
        raise RecordError(
            Reason.CORRUPT, f"{_name(path)}: a depth picture must have one channel, but its shape is {stored.shape}"
        )
    return stored


def depth_array(stored: Float32Array, side: int, kind: str | None, place: float = 0.5) -> Float16Array:
    """Returns a square of a depth picture, (1, side, side) float16, about 0..1; larger is farther.

    stored: the values of the picture, (h, w), as a dataset stores them. kind: depth_kind of the manifest, such as "metric". place: the
    position of the square along the longer side, 0..1.
    """
    depth = Image.fromarray(unit_depth(stored, kind))
    return np.asarray(scaled_square(depth, side, place))[None].astype(np.float16)


def unit_depth(stored: Float32Array, kind: str | None) -> Float32Array:
    """Scales the values of a depth picture. Returns (h, w) float32 in 0..1; larger is farther.

    stored: (h, w), the values in the file of the picture. kind: depth_kind of the manifest.

    "metric" depth, in millimetres, is clipped to 0.01..10 m and divided by 10 m. Other depth is divided by the largest 16-bit value;
    "inverse_relative" depth is then subtracted from 1.
    """
    if kind == "metric":
        depth = np.clip(stored / 1000, DEPTH_MIN_M, DEPTH_MAX_M) / DEPTH_MAX_M
    else:
        depth = stored / DEPTH_MAX
        depth = 1 - depth if kind == "inverse_relative" else depth
    return depth.astype(np.float32, copy=False)


def read_sound(path: Path, fbank: Fbank) -> Float16Array:
    """Returns (3, fbank.mel_bins, fbank.frames) float16, log mel energies as Kaldi computes them.

    Only the first channel of a sound is used, as in LanguageBind's loader. If the sound is longer than fbank.frames windows, the three
    planes are its beginning, its middle and its end. Otherwise, each plane is the whole sound, filled up with zeros or by repetition, as
    fbank.fill says. Raises RecordError(bad_audio) if the sound cannot be decoded.
    """
    return sound_array(read_first_channel(Path(path), SAMPLE_RATE).astype(np.float32) / np.float32(32768), fbank)


def resampled(samples: Float32Array, sample_rate: int, wanted: int = SAMPLE_RATE) -> Float32Array:
    """Resamples a sound: returns (n,) float32 at the rate `wanted`. samples: (m,) at sample_rate. Rates are in Hz."""
    if sample_rate == wanted:
        return samples
    from math import gcd

    from scipy.signal import resample_poly

    common = gcd(sample_rate, wanted)
    return np.asarray(resample_poly(samples, wanted // common, sample_rate // common), np.float32)


def sound_array(samples: Float32Array, fbank: Fbank) -> Float16Array:
    """Returns the log mel energies of a sound in three planes, (3, fbank.mel_bins, fbank.frames) float16.

    If the sound is longer than fbank.frames windows, the planes are its beginning, its middle and its end. Otherwise, each plane is the
    whole sound, filled up with zeros or by repetition, as fbank.fill says. samples: (n,) float32 in [-1, 1] at SAMPLE_RATE.
    """
    energies = log_mel_energies(samples, fbank.mel_bins)
    length, count = energies.shape[1], fbank.frames
    if length > count:
        starts = (0, (length - count) // 2, length - count)
        return np.stack([energies[:, start : start + count] for start in starts]).astype(np.float16)
    if fbank.fill == "tile":
        whole = np.tile(energies, (1, -(-count // length)))[:, :count]
    else:
        whole = np.pad(energies, ((0, 0), (0, count - length)))
    return np.stack([whole] * 3).astype(np.float16)


def normalise(modality: Modality, values: torch.Tensor, mean: torch.Tensor, std: torch.Tensor) -> torch.Tensor:
    """Returns the input of a tower, (..., 3, h, w) float32, on the device of `values`.

    values: stacked arrays of read_image, read_depth or read_sound. mean, std: (3,), the values that the tower was trained with. They are
    not used for sounds. Sounds are normalised with the mean and twice the standard deviation of AudioSet, as in LanguageBind.
    """
    if modality is Modality.AUDIO:
        return (values.float() - FBANK_MEAN) / (2 * FBANK_STD)
    scaled = values.float() / 255 if values.dtype == torch.uint8 else values.float()
    if modality is Modality.DEPTH:
        scaled = scaled.expand(*scaled.shape[:-3], 3, *scaled.shape[-2:])
    return (scaled - mean.view(3, 1, 1)) / std.view(3, 1, 1)


def open_picture(path: Path | Pictured) -> Image.Image:
    """Decodes a picture and returns it in its own mode. Raises RecordError(corrupt) if it cannot be decoded."""
    try:
        if not isinstance(path, Path):
            return path.picture()
        with Image.open(path) as image:
            image.load()
            return image
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise RecordError(Reason.CORRUPT, f"{_name(path)}: {error}") from error


def _name(path: Path | Pictured) -> str:
    return path.name if isinstance(path, Path) else str(path)


def scaled_square(
    image: Image.Image, side: int, place: float = 0.5, method: Image.Resampling = Image.Resampling.BICUBIC
) -> Image.Image:
    """Returns a picture scaled and cropped to side x side pixels. method: the interpolation.

    place: the position of the square along the longer side, 0..1; 0.5 is the centre. With 0.5, the result is that of torchvision's
    Resize and CenterCrop, which CLIP, open_clip and LanguageBind use.
    """
    short = min(image.size)
    size = (int(side * image.width / short), int(side * image.height / short))
    resized = image if image.size == size else image.resize(size, method)
    left, top = (round((length - side) * place) for length in size)
    return resized.crop((left, top, left + side, top + side))


def log_mel_energies(samples: Float32Array, mel_bins: int) -> Float32Array:
    """Returns log mel energies as Kaldi computes them, (mel_bins, frames) float32, with Hann windows of 25 ms every 10 ms.

    samples: (n,) float32 in [-1, 1] at SAMPLE_RATE.
    """
    from transformers.audio_utils import spectrogram, window_function

    if len(samples) < 400:
        samples = np.pad(samples, (0, 400 - len(samples)))
    values: Float32Array = spectrogram(
        samples - samples.mean(),
        window_function(400, "hann", periodic=False),
        frame_length=400,
        hop_length=160,
        fft_length=512,
        power=2.0,
        center=False,
        preemphasis=0.97,
        mel_filters=_filters(mel_bins),
        log_mel="log",
        mel_floor=float(np.finfo(np.float32).eps),
        remove_dc_offset=True,
    )
    return values


@lru_cache(maxsize=4)
def _filters(mel_bins: int) -> npt.NDArray[np.float64]:
    import warnings

    from transformers.audio_utils import mel_filter_bank

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # With 128 bins the lowest filters are empty, in Kaldi too.
        values: npt.NDArray[np.float64] = mel_filter_bank(
            num_frequency_bins=257,
            num_mel_filters=mel_bins,
            min_frequency=20,
            max_frequency=SAMPLE_RATE // 2,
            sampling_rate=SAMPLE_RATE,
            norm=None,
            mel_scale="kaldi",
            triangularize_in_mel_space=True,
        )
        return values
