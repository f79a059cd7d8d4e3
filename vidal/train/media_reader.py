"""How a tower of another project reads its media. Towers of vidal have no MediaReader; for them, BoundEncoder reads media as in training.

An encoder of another project is measured fairly only with its own resizing, normalisation, spectrograms and choice of frames.
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
    """Reads media as the arrays that a tower takes. A subclass defines the methods that the modalities of its tower need.

    A subclass for pictures needs to define only `picture`: depth is then read as a grey picture, and a video as its frames. Arrays are
    float32 and already normalised. A video or a sound may be read as several crops or excerpts, each of which gets a vector of its own.
    In this class, these are called views.

    frame_count: the number of frames that are read from a video. sample_rate: the rate at which `sound` gets samples, in Hz.
    first_channel: whether only the first channel of a sound file is used; if not, its channels are mixed. items_max: the largest number
    of items that are read at a time; None for the size of a batch.
    """

    frame_count = 8
    sample_rate = inputs.SAMPLE_RATE
    first_channel = False
    items_max: int | None = None

    def picture(self, image: Image.Image) -> Float32Array:
        """Returns the array of one picture. Unlike the arrays of `video` and `sound`, it has no dimension of views."""
        raise UserError("this encoder cannot read pictures: choose another modality")

    def infrared(self, image: Image.Image) -> Float32Array:
        """Returns the array of an infrared picture."""
        return self.picture(image)

    def depth(self, stored: Float32Array, kind: str | None) -> Float32Array:
        """Turns a depth picture into the array that the tower takes.

        stored: (h, w), the values in the file of the picture. kind: depth_kind of the manifest; None if unknown.
        """
        grey = (inputs.unit_depth(stored, kind) * 255).round().astype(np.uint8)
        return self.picture(Image.fromarray(grey).convert("RGB"))

    def choose_frames(self, total: int, fps: float, excerpt: frames.Excerpt | None) -> list[int]:
        """Returns the indices of the frames to read. total: the number of frames. fps: 0 if unknown. excerpt: None for a whole video."""
        if excerpt is not None:
            return frames.second_indices(total, fps, self.frame_count, excerpt.end_s)
        return frames.even_indices(total, self.frame_count)

    def video(self, pictures: Sequence[Image.Image]) -> Float32Array:
        """Returns the array of a video, (views, frames, ...). pictures: the frames that choose_frames chose."""
        return np.stack([self.picture(each) for each in pictures])[None]

    def video_views(self, path: Path, times: int, crops: int) -> Float32Array:
        """Returns the views of a video, (times * crops, frames, ...).

        `times` excerpts are spread over the video. Each is cropped to `crops` squares, which are spread along its longer side.
        """
        pixels = frames.views(path, self.frame_count, self.side, times, crops)
        return np.concatenate([self.video([_picture(frame) for frame in view]) for view in pixels])

    def sound(self, samples: Float32Array) -> Float32Array:
        """Returns the array of a sound, (views, ...). samples: (n,) float32 in [-1, 1] at sample_rate."""
        raise UserError("this encoder cannot read sounds: choose another modality")

    @property
    def side(self) -> int:
        """The side in pixels of the square that a picture is cropped to."""
        return int(self.picture(Image.new("RGB", (64, 64))).shape[-1])


def read_picture(reader: MediaReader, modality: Modality, item: object, caller: str) -> Float32Array:
    """Reads a picture, and returns the array that the network takes. Of a video file, the middle frame is read.

    item: the path of a picture or a video, or a picture in memory. caller: the method that the user called, for errors.
    Raises RecordError(corrupt) if a file cannot be decoded, and TypeError for an item of another type.
    """
    image = _opened(item, caller)
    return reader.infrared(image) if modality is Modality.INFRARED else reader.picture(image)


def read_depth(reader: MediaReader, item: object, kind: str | None, caller: str) -> Float32Array:
    """Returns the array of a depth picture. kind: depth_kind of the manifest. caller: the method that the user called, for errors.

    Raises RecordError(corrupt) if a file cannot be decoded, and TypeError if the item is not a depth picture.
    """
    depth = media_items.as_depth(item, str(kind), caller)
    return reader.depth(depth if isinstance(depth, np.ndarray) else inputs.stored_depth(depth), kind)


def read_video(reader: MediaReader, clip: object, caller: str) -> Float32Array:
    """Returns a video as an array, (pieces, ...). A piece is a crop or an excerpt that gets a vector of its own.

    clip: the video that the user passed. caller: the method that the user called, for errors.

    Raises RecordError(corrupt) if a file cannot be decoded, and TypeError if `clip` is not a video.
    """
    if isinstance(clip, (str, Path)):
        return reader.video(frames.chosen(Path(clip), reader.choose_frames))
    if isinstance(clip, frames.Excerpt):
        return reader.video(frames.chosen(clip, reader.choose_frames))
    pictures = media_items.pictures_of(clip, caller)
    return reader.video([_opened(pictures[place], caller) for place in reader.choose_frames(len(pictures), 0.0, None)])


def read_sound(reader: MediaReader, item: object, sample_rate: int, caller: str) -> Float32Array:
    """Returns the array of a sound, (n, ...), for the n excerpts that the reader takes from the sound.

    sample_rate: the rate of an item that is an array or a tensor, in Hz. caller: the method that the user called, for errors.

    Raises RecordError(bad_audio) if a file cannot be decoded, and TypeError if the item is not a sound.
    """
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
