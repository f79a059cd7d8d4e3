"""The public encoder: it maps text, and every modality that it was trained for, to vectors in one space."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from vidal.errors import UserError
from vidal.media.arrays import Float32Array
from vidal.train import frames, inputs
from vidal.train.reading import spread
from vidal.train.settings import Encoder, Modality
from vidal.train.towers import LanguageTower, ModalityTower

# A file, or anything with a method picture() that returns a PIL image, such as inputs.Region.
Picture = str | Path | inputs.Pictured
# One picture, or several of one clip, whose vectors are averaged.
Pictures = Picture | Sequence[Picture]
# A video file, its beginning, or the frames of a video in order.
Clip = str | Path | frames.Excerpt | Sequence[Picture]


class BoundEncoder:
    """Encodes media and texts as vectors that can be compared: the dot product of two vectors is their cosine similarity.

    Every method takes a list of n items and returns (n, width) float32 on the CPU, one L2-normalised vector for each item in order;
    `width` is the same for all methods. An empty list gives (0, width). Media are read and encoded `batch_size` items at a time, so
    memory does not grow with n. Files are resized and cropped as in training.

    Raises UserError if the encoder was not trained for the modality, RecordError if a file is missing or cannot be decoded, and
    TypeError for a single path or text instead of a list.
    """

    batch_size: int
    """The number of items that are encoded at a time, and of pictures or sounds that a tower gets at a time."""

    def __init__(
        self,
        towers: Mapping[Modality, ModalityTower],
        settings: Mapping[Modality, Encoder],
        open_text: Callable[[], LanguageTower],
        device: torch.device,
    ):
        """Users call load_encoder instead. open_text: opens the language tower; it is called once, when the tower is first needed."""
        self._towers = {modality: tower.to(device).eval() for modality, tower in towers.items()}
        self._settings, self._device = settings, device
        self._open_text = open_text
        self._text: LanguageTower | None = None
        self.batch_size = 32

    @property
    def modalities(self) -> list[str]:
        """The modalities that the encoder was trained for, such as ["video", "depth"]. It always encodes text."""
        return [modality.value for modality in self._towers]

    @property
    def width(self) -> int:
        """The length of a vector."""
        return self.text.width

    @property
    def text(self) -> LanguageTower:
        """The language tower."""
        if self._text is None:
            self._text = self._open_text()
        return self._text

    def encode_text(self, texts: Sequence[str]) -> Float32Array:
        """Encodes texts. A text that is too long for the language tower is cut."""
        return np.asarray(self.text.encode(_listed(texts)), np.float32)

    def encode_image(self, images: Sequence[Pictures]) -> Float32Array:
        """Encodes pictures of any format that Pillow reads. For a video file, its middle frame is used.

        An item that is a list of pictures gets one vector, the normalised mean of theirs.
        """
        return self._encode_pictures(Modality.IMAGE, images)

    def encode_infrared(self, images: Sequence[Pictures]) -> Float32Array:
        """Encodes infrared pictures, such as those in `infrared_paths` of a manifest.

        An item that is a list of pictures gets one vector, the normalised mean of theirs.
        """
        return self._encode_pictures(Modality.INFRARED, images)

    def encode_depth(self, images: Sequence[Pictures], kind: str = "metric") -> Float32Array:
        """Encodes depth pictures with one channel of 16 bits, such as those in `depth_paths` of a manifest.

        kind: `depth_kind` of the manifest: "metric" (millimetres), "relative" or "inverse_relative". An item that is a list of
        pictures gets one vector, the normalised mean of theirs.
        """
        side = self._settings_of(Modality.DEPTH).side
        return self._encode_groups(
            Modality.DEPTH, images, lambda picture: inputs.read_depth(_as_path(picture), side, kind)
        )

    def encode_video(self, clips: Sequence[Clip]) -> Float32Array:
        """Encodes video files, or lists of the frames of a video in order; frames are sampled evenly from the first to the last."""
        settings = self._settings_of(Modality.VIDEO)

        def read(clip: Clip) -> inputs.ModelInput:
            """Returns (1, frames, 3, side, side)."""
            if isinstance(clip, (str, Path)):
                return frames.clip(Path(clip), settings.frames, settings.side)[None]
            if isinstance(clip, frames.Excerpt):
                return frames.clip(clip, settings.frames, settings.side)[None]
            sampled = [_as_path(clip[place]) for place in spread(len(clip), settings.frames)]
            return np.stack([inputs.read_image(picture, settings.side) for picture in sampled])[None]

        return self._encode_views(Modality.VIDEO, _listed(clips), read)

    def encode_video_views(self, paths: Sequence[str | Path], times: int, crops: int) -> Float32Array:
        """Returns (n, times * crops, width): a vector for each view of each video file, L2-normalised.

        times: views spread over the video. crops: squares spread along the longer side. Kinetics is measured with 5 times 3 views.
        """
        settings, vectors = self._settings_of(Modality.VIDEO), [np.zeros((0, times * crops, self.width), np.float32)]
        for path in _listed(paths):
            pixels = frames.views(Path(path), settings.frames, settings.side, times, crops)
            vectors.append(self._encode_chunks(Modality.VIDEO, [pixels]).numpy()[None])
        return np.concatenate(vectors)

    def encode_audio(self, paths: Sequence[str | Path]) -> Float32Array:
        """Encodes sounds: audio files, or video files with sound. For a long sound, the beginning, the middle and the end are used."""
        fbank = self._settings_of(Modality.AUDIO).fbank
        return self._encode_views(
            Modality.AUDIO, _listed(paths), lambda path: inputs.read_sound(Path(path), fbank)[None]
        )

    def _encode_pictures(self, modality: Modality, images: Sequence[Pictures]) -> Float32Array:
        side = self._settings_of(modality).side

        def read(picture: Picture) -> inputs.ModelInput:
            if isinstance(picture, (str, Path)) and Path(picture).suffix.lower() in frames.EXTENSIONS:
                return inputs.square_array(frames.middle(Path(picture)), side)
            return inputs.read_image(_as_path(picture), side)

        return self._encode_groups(modality, images, read)

    def _encode_groups(
        self, modality: Modality, items: Sequence[Pictures], read: Callable[[Picture], inputs.ModelInput]
    ) -> Float32Array:
        """Encodes groups of pictures. read: returns (channels, side, side) for a picture."""

        def read_group(item: Pictures) -> inputs.ModelInput:
            return np.stack(
                [
                    read(picture)
                    for picture in (item if isinstance(item, Sequence) and not isinstance(item, str) else [item])
                ]
            )

        return self._encode_views(modality, _listed(items), read_group)

    def _encode_views(
        self, modality: Modality, items: list[Any], read: Callable[[Any], inputs.ModelInput]
    ) -> Float32Array:
        """Encodes items of any number of views, and averages their vectors. read: returns (views, ...) for an item."""
        features = [np.zeros((0, self.width), np.float32)]
        for start in range(0, len(items), self.batch_size):
            arrays = [read(item) for item in items[start : start + self.batch_size]]
            ends = np.cumsum([len(views) for views in arrays])[:-1]
            vectors = self._encode_chunks(modality, arrays).numpy()
            means = np.stack([views.mean(0) for views in np.split(vectors, ends)])
            features.append(means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12))
        return np.concatenate(features)

    @torch.inference_mode()
    def _encode_chunks(self, modality: Modality, arrays: list[inputs.ModelInput]) -> torch.Tensor:
        """Returns the vectors of all views of all items, (views, width). arrays: (views, ...) of each item."""
        return torch.cat([self._forward(modality, chunk) for chunk in _chunks(arrays, self.batch_size)])

    def _forward(self, modality: Modality, stacked: inputs.ModelInput) -> torch.Tensor:
        tower = self._towers[modality]
        pixels = inputs.normalise(modality, torch.from_numpy(stacked).to(self._device), tower.mean, tower.std)
        return F.normalize(tower(pixels).float(), dim=-1).cpu()

    def _settings_of(self, modality: Modality) -> Encoder:
        if modality not in self._settings:
            raise UserError(f"this encoder was trained for {', '.join(self.modalities)}, not for {modality.value}")
        return self._settings[modality]


def _listed(items: Sequence[Any]) -> list[Any]:
    """Returns the items as a list. Raises TypeError for a single path or text, whose characters would be mistaken for items."""
    if isinstance(items, (str, Path)):
        raise TypeError(f"{items!r} is one item: pass a list")
    return list(items)


def _as_path(picture: Picture) -> Path | inputs.Pictured:
    return Path(picture) if isinstance(picture, str) else picture


def _chunks(arrays: list[inputs.ModelInput], size: int) -> Iterator[inputs.ModelInput]:
    """Yields all views of all items, at most `size` at a time."""
    views = np.concatenate(arrays)
    for start in range(0, len(views), size):
        yield views[start : start + size]
