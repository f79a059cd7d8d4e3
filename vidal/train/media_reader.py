"""How a tower of another project reads its media. Towers of vidal have no reader: BoundEncoder reads for them as in training.

An encoder of another project is measured fairly only with its own resizing, normalisation, frames and spectrograms.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from vidal.errors import UserError
from vidal.media import sound
from vidal.media.arrays import Float32Array, UInt8Array
from vidal.train import frames, inputs, media_items
from vidal.train.settings import Modality


class MediaReader:
    """Reads media as the arrays that a tower takes. A subclass defines what its modalities need.

    A subclass for pictures defines `picture` only: depth is then read as a grey picture, and a video as its frames. Arrays are float32
    and already normalised. frame_count: the number of frames that are read from a video. sample_rate: of sounds, in Hz. first_channel:
    whether only the first channel of a sound is used; if not, all are mixed. items_max: how many items are held in memory at a time;
    None for as many as a batch has.
    """

    frame_count = 8
    sample_rate = inputs.SAMPLE_RATE
    first_channel = False
    items_max: int | None = None

    def picture(self, image: Image.Image) -> Float32Array:
        """Returns the array of a picture, without a dimension for views."""
        raise UserError(f"{type(self).__name__} reads no pictures")

    def infrared(self, image: Image.Image) -> Float32Array:
        """Returns the array of an infrared picture."""
        return self.picture(image)

    def depth(self, stored: Float32Array, kind: str | None) -> Float32Array:
        """Returns the array of a depth picture. stored: (h, w), the values as a dataset stores them. kind: as in a manifest."""
        grey = (inputs.unit_depth(stored, kind) * 255).round().astype(np.uint8)
        return self.picture(Image.fromarray(grey).convert("RGB"))

    def choose_frames(self, total: int, fps: float, excerpt: frames.Excerpt | None) -> list[int]:
        """Returns the indices of the frames to read. fps: 0 if it is not known. excerpt: None for a whole video."""
        if excerpt is not None:
            return frames.second_indices(total, fps, self.frame_count, excerpt.end_s)
        return frames.even_indices(total, self.frame_count)

    def video(self, pictures: Sequence[Image.Image]) -> Float32Array:
        """Returns (views, frames, ...) of the chosen frames."""
        return np.stack([self.picture(each) for each in pictures])[None]

    def video_views(self, path: Path, times: int, crops: int) -> Float32Array:
        """Returns (times * crops, frames, ...), as frames.views chooses them."""
        pixels = frames.views(path, self.frame_count, self.side, times, crops)
        return np.concatenate([self.video([_picture(frame) for frame in view]) for view in pixels])

    def sound(self, samples: Float32Array) -> Float32Array:
        """Returns (views, ...). samples: (n,) float32 in [-1, 1] at sample_rate."""
        raise UserError(f"{type(self).__name__} reads no sounds")

    @property
    def side(self) -> int:
        """The side in pixels of the square that a picture is cropped to."""
        return int(self.picture(Image.new("RGB", (64, 64))).shape[-1])


def read_picture(reader: MediaReader, modality: Modality, item: object, caller: str) -> Float32Array:
    """Returns the array of a picture; of a video file, that of its middle frame. Raises RecordError(corrupt) and TypeError."""
    image = _opened(item, caller)
    return reader.infrared(image) if modality is Modality.INFRARED else reader.picture(image)


def read_depth(reader: MediaReader, item: object, kind: str | None, caller: str) -> Float32Array:
    """Returns the array of a depth picture. Raises RecordError(corrupt) and TypeError."""
    depth = media_items.as_depth(item, str(kind), caller)
    return reader.depth(depth if isinstance(depth, np.ndarray) else inputs.stored_depth(depth), kind)


def read_video(reader: MediaReader, clip: object, caller: str) -> Float32Array:
    """Returns the views of a video. Raises RecordError(corrupt) and TypeError."""
    if isinstance(clip, (str, Path)):
        return reader.video(frames.chosen(Path(clip), reader.choose_frames))
    if isinstance(clip, frames.Excerpt):
        return reader.video(frames.chosen(clip, reader.choose_frames))
    pictures = media_items.pictures_of(clip, caller)
    return reader.video([_opened(pictures[place], caller) for place in reader.choose_frames(len(pictures), 0.0, None)])


def read_sound(reader: MediaReader, item: object, sample_rate: int, caller: str) -> Float32Array:
    """Returns the views of a sound. sample_rate: that of an array, in Hz. Raises RecordError(bad_audio) and TypeError."""
    samples = media_items.as_samples(item, sample_rate, caller, reader.sample_rate)
    if isinstance(samples, Path):
        read = sound.read_first_channel if reader.first_channel else sound.read_mono
        samples = read(samples, reader.sample_rate).astype(np.float32) / np.float32(sound.FULL_SCALE)
    return reader.sound(samples)


def _opened(item: object, caller: str) -> Image.Image:
    if isinstance(item, (str, Path)) and Path(item).suffix.lower() in frames.EXTENSIONS:
        return frames.middle(Path(item))
    picture = media_items.as_picture(item, caller)
    return picture if isinstance(picture, Image.Image) else inputs.open_picture(picture)


def _picture(frame: UInt8Array) -> Image.Image:
    """Returns a frame, (3, h, w) uint8, as a PIL picture."""
    return Image.fromarray(np.ascontiguousarray(frame.transpose(1, 2, 0)))
