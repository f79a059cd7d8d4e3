"""The public encoder: it maps text, and every modality that it was trained for, to vectors in one space."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F

from vidal.errors import UserError
from vidal.media.arrays import Float32Array
from vidal.models.device import choose_device
from vidal.train import frames, inputs, media_items, media_reader
from vidal.train.media_reader import MediaReader
from vidal.train.reading import spread
from vidal.train.settings import Encoder, Modality
from vidal.train.towers import LanguageTower, ModalityTower

Dtype = Literal["float32", "float16", "bfloat16"]


_CPU_BATCH, _GPU_BATCH = 4, 32


@dataclass(frozen=True)
class _Call:
    """The options of one call of an encode method.

    caller: the name of the public method, for errors. device: where the tower is moved; None leaves it where it is.
    """

    caller: str
    batch_size: int
    dtype: Dtype
    device: str | None


class BoundEncoder:
    """Encodes media and texts as vectors that can be compared: the dot product of two vectors is their cosine similarity.

    Every encode method except encode_video_views takes one item or a list of n items, and returns (width,) or (n, width) float32 on the
    CPU, L2-normalised; `width` is the same for all methods. An empty list gives (0, width). An item is a text, a path, a PIL picture, a
    numpy array or a tensor: each method says which of these it takes. Media are read and encoded in batches, so that only one batch of
    media is in memory. Pictures are resized as in training, and cropped in the centre.

    encode_image, encode_infrared, encode_depth, encode_video and encode_audio also take batch_size (the number of items that are read
    and encoded at a time), dtype (of the computation: "float16" and "bfloat16" are faster on a GPU) and device (the tower is moved there
    first, and stays there).

    Raises UserError if the encoder was not trained for the modality, RecordError if a file is missing or cannot be decoded, and
    TypeError for an item of a wrong type or an unknown dtype.
    """

    batch_size: int
    """The number of items that are read at a time, and the largest number of pictures, videos or sounds in a batch of a tower.

    The default is 32 on a GPU and 4 on a CPU. On a CPU, a larger batch allocates memory anew for each layer, and a picture takes up to
    three times as long.
    """

    def __init__(
        self,
        towers: Mapping[Modality, ModalityTower],
        settings: Mapping[Modality, Encoder],
        open_text: Callable[[], LanguageTower],
        device: torch.device,
    ):
        """Users call load_encoder instead. open_text: opens the language tower; it is called once, when the tower is first needed."""
        self._towers = {modality: tower.to(device).eval() for modality, tower in towers.items()}
        self._settings = settings
        self._open_text = open_text
        self._text: LanguageTower | None = None
        self.batch_size = _CPU_BATCH if device.type == "cpu" else _GPU_BATCH

    @property
    def modalities(self) -> list[str]:
        """The modalities that the encoder was trained for, such as ["video", "depth"]. Every encoder also encodes text."""
        return [modality.value for modality in self._towers]

    @property
    def width(self) -> int:
        """The length of a vector."""
        return self.text.width

    @property
    def text(self) -> LanguageTower:
        """The language tower, which is opened when it is first needed."""
        if self._text is None:
            self._text = self._open_text()
        return self._text

    def encode_text(self, texts: str | Sequence[str]) -> Float32Array:
        """Encodes texts. A text that is too long for the language tower is truncated."""
        listed = [texts] if isinstance(texts, str) else list(texts)
        for text in listed:
            if not isinstance(text, str):
                raise media_items.wrong_type("encode_text", text, "a str")
        vectors = np.asarray(self.text.encode(listed), np.float32)
        return vectors[0] if isinstance(texts, str) else vectors

    def encode_image(
        self, images: Any, *, batch_size: int | None = None, dtype: Dtype = "float32", device: str | None = None
    ) -> Float32Array:
        """Encodes pictures of any format that Pillow reads. For a video file, its middle frame is used.

        A picture is a path, a PIL picture, an array (h, w, 3) of uint8, or a tensor (3, h, w) of uint8 or of floats in 0..1. In a list
        of items, each item is a picture or a list of pictures. A list of pictures inside the list gets one vector, the normalised mean of
        their vectors.
        """
        return self._encode_pictures(Modality.IMAGE, images, self._call("encode_image", batch_size, dtype, device))

    def encode_infrared(
        self, images: Any, *, batch_size: int | None = None, dtype: Dtype = "float32", device: str | None = None
    ) -> Float32Array:
        """Encodes infrared pictures, such as those in `infrared_paths` of a manifest. For a video file, its middle frame is used.

        A picture is a path, a PIL picture, an array (h, w, 3) of uint8, or a tensor (3, h, w) of uint8 or of floats in 0..1. In a list
        of items, each item is a picture or a list of pictures. A list of pictures inside the list gets one vector, the normalised mean of
        their vectors.
        """
        call = self._call("encode_infrared", batch_size, dtype, device)
        return self._encode_pictures(Modality.INFRARED, images, call)

    def encode_depth(
        self,
        images: Any,
        kind: str = "metric",
        *,
        batch_size: int | None = None,
        dtype: Dtype = "float32",
        device: str | None = None,
    ) -> Float32Array:
        """Encodes depth pictures with one channel of 16 bits, such as those in `depth_paths` of a manifest.

        kind: `depth_kind` of the manifest: "metric" (millimetres), "relative" or "inverse_relative". A picture is a path, a PIL picture,
        an array (h, w) or a tensor (h, w). Arrays and tensors hold uint16 as in a dataset, or floats. Floats are metres if the kind is
        "metric", otherwise numbers in 0..1.

        An item may also be a list of pictures, such as all those of a clip. Its vector is the normalised mean of the vectors of its
        pictures. To encode a single item of this type, pass [pictures].
        """
        side, call = self._settings_of(Modality.DEPTH).side, self._call("encode_depth", batch_size, dtype, device)
        reader = self._reader_of(Modality.DEPTH)

        def read(picture: object) -> inputs.ModelInput:
            if reader is not None:
                return media_reader.read_depth(reader, picture, kind, call.caller)
            depth = media_items.as_depth(picture, kind, call.caller)
            if isinstance(depth, np.ndarray):
                return inputs.depth_array(depth, side, kind)
            return inputs.read_depth(depth, side, kind)

        return self._encode_groups(Modality.DEPTH, images, read, call)

    def encode_video(
        self, clips: Any, *, batch_size: int | None = None, dtype: Dtype = "float32", device: str | None = None
    ) -> Float32Array:
        """Encodes videos. Frames are sampled evenly from the first to the last.

        An item is a path, a list of the pictures of a video in order, an array (t, h, w, 3) of uint8, or a tensor (t, 3, h, w) of uint8
        or of floats in 0..1. To encode a single video that is a list of pictures, pass [pictures].

        To encode only the first n seconds of a video file, pass vidal.train.frames.Excerpt(path, n). The docstring of Excerpt says which
        frames are sampled in this case.
        """
        settings, call = self._settings_of(Modality.VIDEO), self._call("encode_video", batch_size, dtype, device)
        reader = self._reader_of(Modality.VIDEO)

        def read(clip: object) -> inputs.ModelInput:
            """Returns the frames of a clip, (1, frames, 3, side, side).

            If the tower has a MediaReader, it returns the frames of n crops or excerpts of the clip instead: (n, frames, ...).
            """
            if reader is not None:
                return media_reader.read_video(reader, clip, call.caller)
            if isinstance(clip, (str, Path)):
                return frames.clip(Path(clip), settings.frames, settings.side)[None]
            if isinstance(clip, frames.Excerpt):
                return frames.clip(clip, settings.frames, settings.side)[None]
            pictures = media_items.pictures_of(clip, call.caller)
            sampled = [pictures[place] for place in spread(len(pictures), settings.frames)]
            return np.stack([_read_picture(each, settings.side, call.caller) for each in sampled])[None]

        return self._encode_views(Modality.VIDEO, clips, (4,), read, call)

    def encode_video_views(self, paths: Sequence[str | Path], times: int, crops: int) -> Float32Array:
        """Returns (n, times * crops, width): a vector for each view of each video file, L2-normalised.

        A view is one square crop of one stretch of the video. times: the number of stretches, spread over the video. crops: the number of
        crops of each stretch, spread along the longer side. For Kinetics, times is 5 and crops is 3.
        """
        settings, call = self._settings_of(Modality.VIDEO), self._call("encode_video_views", None, "float32", None)
        reader = self._reader_of(Modality.VIDEO)
        vectors = [np.zeros((0, times * crops, self.width), np.float32)]
        for path in paths:
            if reader is not None:
                pixels: inputs.ModelInput = reader.video_views(Path(path), times, crops)
            else:
                pixels = frames.views(Path(path), settings.frames, settings.side, times, crops)
            vectors.append(self._encode_chunks(Modality.VIDEO, [pixels], call).numpy()[None])
        return np.concatenate(vectors)

    def encode_audio(
        self,
        sounds: Any,
        sample_rate: int = inputs.SAMPLE_RATE,
        *,
        batch_size: int | None = None,
        dtype: Dtype = "float32",
        device: str | None = None,
    ) -> Float32Array:
        """Encodes sounds. An item is the path of an audio file or of a video file with sound, or an array or a tensor.

        Arrays and tensors are (n,) or (channels, n), of int16, int32 or floats in -1..1. sample_rate: their sample rate in Hz; a file
        states its own.

        Only the first channel is used. If a sound is longer than the encoder's spectrogram, its beginning, its middle and its end are
        used. An encoder of another project may instead mix the channels of a file, and choose other excerpts.
        """
        fbank, call = self._settings_of(Modality.AUDIO).fbank, self._call("encode_audio", batch_size, dtype, device)
        reader = self._reader_of(Modality.AUDIO)

        def read(sound: object) -> inputs.ModelInput:
            if reader is not None:
                return media_reader.read_sound(reader, sound, sample_rate, call.caller)
            samples = media_items.as_samples(sound, sample_rate, call.caller)
            if isinstance(samples, Path):
                return inputs.read_sound(samples, fbank)[None]
            return inputs.sound_array(samples, fbank)[None]

        return self._encode_views(Modality.AUDIO, sounds, (1,), read, call)

    def _call(self, caller: str, batch_size: int | None, dtype: Dtype, device: str | None) -> _Call:
        if dtype not in ("float32", "float16", "bfloat16"):
            raise TypeError(f"{caller}: dtype {dtype!r}: choose from float32, float16, bfloat16")
        return _Call(caller, batch_size or self.batch_size, dtype, choose_device(device) if device else None)

    def _encode_pictures(self, modality: Modality, images: Any, call: _Call) -> Float32Array:
        side, reader = self._settings_of(modality).side, self._reader_of(modality)

        def read(picture: object) -> inputs.ModelInput:
            if reader is not None:
                return media_reader.read_picture(reader, modality, picture, call.caller)
            if isinstance(picture, (str, Path)) and Path(picture).suffix.lower() in frames.EXTENSIONS:
                return inputs.square_array(frames.middle(Path(picture)), side)
            return _read_picture(picture, side, call.caller)

        return self._encode_groups(modality, images, read, call)

    def _encode_groups(
        self, modality: Modality, items: Any, read: Callable[[object], inputs.ModelInput], call: _Call
    ) -> Float32Array:
        """Encodes items, each of which is a picture or a list of pictures. read: returns the array of a picture."""

        def read_group(item: object) -> inputs.ModelInput:
            group = item if isinstance(item, (list, tuple)) else [item]
            return np.stack([read(picture) for picture in group])

        return self._encode_views(modality, items, (2, 3), read_group, call)

    def _encode_views(
        self,
        modality: Modality,
        items: Any,
        dimensions: tuple[int, ...],
        read: Callable[[Any], inputs.ModelInput],
        call: _Call,
    ) -> Float32Array:
        """Encodes items that consist of one or more pieces, such as several pictures, or several excerpts of a sound.

        The vector of an item is the normalised mean of the vectors of its pieces. read: returns the pieces of an item as an array,
        (pieces, ...).

        dimensions: numbers of axes. If `items` is an array or tensor with one of these numbers of axes, it is a single item. An array or
        tensor with another number of axes is a sequence of items.
        """
        if media_items.is_one(items, dimensions):
            alone: Float32Array = self._encode_views(modality, [items], dimensions, read, call)[0]
            return alone
        listed, features = list(items), [np.zeros((0, self.width), np.float32)]
        reader = self._reader_of(modality)
        step = min(call.batch_size, (reader and reader.items_max) or call.batch_size)
        for start in range(0, len(listed), step):
            arrays = [read(item) for item in listed[start : start + step]]
            ends = np.cumsum([len(views) for views in arrays])[:-1]
            vectors = self._encode_chunks(modality, arrays, call).numpy()
            means = np.stack([views.mean(0) for views in np.split(vectors, ends)])
            features.append(means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12))
        return np.concatenate(features)

    @torch.inference_mode()
    def _encode_chunks(self, modality: Modality, arrays: list[inputs.ModelInput], call: _Call) -> torch.Tensor:
        """Returns one vector for each input of the tower, (total inputs, width), L2-normalised.

        arrays: the inputs of each item, (inputs, ...). An item can have several inputs, such as the crops of a video.
        """
        return torch.cat([self._forward(modality, chunk, call) for chunk in _chunks(arrays, call.batch_size)])

    def _forward(self, modality: Modality, stacked: inputs.ModelInput, call: _Call) -> torch.Tensor:
        tower = self._towers[modality]
        if call.device is not None:
            tower.to(call.device)
        device = tower.mean.device
        pixels = torch.from_numpy(stacked).to(device)
        if tower.reader is None:
            pixels = inputs.normalise(modality, pixels, tower.mean, tower.std)
        dtype = getattr(torch, call.dtype)
        with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
            features = tower(pixels)
        return F.normalize(features.float(), dim=-1).cpu()

    def _settings_of(self, modality: Modality) -> Encoder:
        if modality not in self._settings:
            raise UserError(
                f"this encoder was trained for {', '.join(self.modalities)}, not for {modality.value}: load another encoder"
            )
        return self._settings[modality]

    def _reader_of(self, modality: Modality) -> MediaReader | None:
        self._settings_of(modality)
        return self._towers[modality].reader


def _read_picture(item: object, side: int, caller: str) -> inputs.ModelInput:
    picture = media_items.as_picture(item, caller)
    return inputs.square_array(picture, side) if isinstance(picture, Image.Image) else inputs.read_image(picture, side)


def _chunks(arrays: list[inputs.ModelInput], size: int) -> Iterator[inputs.ModelInput]:
    """Yields the inputs of the tower for all items, at most `size` at a time. arrays: the inputs of each item, (inputs, ...)."""
    views = np.concatenate(arrays)
    for start in range(0, len(views), size):
        yield views[start : start + size]
