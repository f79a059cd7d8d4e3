"""The public encoder: it maps text, and every modality that it was trained for, to vectors in one space.

On disk it is a folder with config.json and model.safetensors.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

from vidal import __version__
from vidal.config.base import ModelSpec
from vidal.errors import UserError
from vidal.media.arrays import Float32Array
from vidal.models.device import choose_device
from vidal.storage.atomic_file import written_aside
from vidal.train import frames, inputs, published
from vidal.train.reading import spread
from vidal.train.settings import Encoder, Modality, Train
from vidal.train.towers import Architecture, LanguageTower, ModalityTower, open_text_tower, open_tower
from vidal.train.weights import fill

CONFIG, WEIGHTS = "config.json", "model.safetensors"
FORMAT = 1
# A file, or anything with a method picture() that returns a PIL image, such as inputs.Region.
Picture = str | Path | inputs.Pictured
# One picture, or several of one clip, whose vectors are averaged.
Pictures = Picture | Sequence[Picture]
# A video file, or the frames of a video in order.
Clip = str | Path | Sequence[Picture]


class _SavedTower(TypedDict):
    """settings: of an Encoder, as JSON."""

    settings: dict[str, object]
    architecture: Architecture


class _Config(TypedDict):
    """The config.json of an encoder. text: a ModelSpec, as JSON. width: of the vectors. modalities: by name."""

    format: int
    vidal: str
    text: dict[str, object]
    width: int
    modalities: dict[str, _SavedTower]


def save(folder: Path, towers: Mapping[Modality, nn.Module], settings: Train, text: LanguageTower) -> None:
    """Writes an encoder: the weights of all modalities, and the settings that are needed to build their towers again.

    The language tower was never changed, so its name is written instead of its weights.
    """
    folder.mkdir(parents=True, exist_ok=True)
    state = {
        f"{modality.value}.{name}": value.detach().cpu().contiguous().clone()
        for modality, tower in towers.items()
        for name, value in tower.state_dict().items()
    }
    config = {
        "format": FORMAT,
        "vidal": __version__,
        "text": settings.text.model_dump(mode="json"),
        "width": text.width,
        "modalities": {
            modality.value: {
                "settings": settings.modalities[modality].model_dump(mode="json"),
                "architecture": tower.architecture,
            }
            for modality, tower in towers.items()
        },
    }
    with written_aside(folder / WEIGHTS) as aside:
        save_file(state, aside)
    with written_aside(folder / CONFIG) as aside:
        aside.write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")


def load_encoder(path: str | Path, device: str | None = None) -> BoundEncoder:
    """Loads an encoder that `vidal train` wrote, or a checkpoint that LanguageBind published.

        encoder = vidal.load_encoder("manifests/embedded/_train/embedded/encoder")
        scores = encoder.encode_video(["a.mp4", "b.mp4"]) @ encoder.encode_text(["a dog in the snow"]).T  # (2, 1) cosines

    path: the folder with config.json. device: the device of the towers, as torch names it ("cpu", "cuda:1"); "auto" and None choose a
    GPU if there is one. The language tower is loaded when it is first needed, onto the same device.

    Raises UserError if the folder holds no encoder, or if a weight is missing, unknown or of another shape.
    """
    folder = Path(path)
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is not an encoder of vidal: {CONFIG} cannot be read: {error}") from error
    torch_device = torch.device(choose_device(device))
    if published.is_published(config):
        modality, encoder, tower, text_tower = published.load(folder, config, torch_device)
        return BoundEncoder({modality: tower}, {modality: encoder}, lambda: text_tower, torch_device)
    if config.get("format") != FORMAT:
        raise UserError(
            f"{path}: {CONFIG} has format {config.get('format')!r}, and this version of vidal reads format {FORMAT}"
        )
    settings = {Modality(name): Encoder.model_validate(each["settings"]) for name, each in config["modalities"].items()}
    text = ModelSpec.model_validate(config["text"])
    return BoundEncoder(_load_towers(folder, config, settings), settings, lambda: open_text_tower(text, torch_device), torch_device)


def _load_towers(folder: Path, config: _Config, settings: Mapping[Modality, Encoder]) -> dict[Modality, ModalityTower]:
    towers: dict[Modality, ModalityTower] = {}
    with safe_open(folder / WEIGHTS, "pt") as weights:
        names = set(weights.keys())
        for modality, encoder in settings.items():
            tower = open_tower(modality, encoder, config["width"], config["modalities"][modality.value]["architecture"])
            prefix = f"{modality.value}."
            state = {name.removeprefix(prefix): weights.get_tensor(name) for name in names if name.startswith(prefix)}
            fill(tower, state, str(folder), prefix)
            towers[modality] = tower
    if unknown := sorted(name for name in names if name.partition(".")[0] not in config["modalities"]):
        raise UserError(
            f"{folder}: {WEIGHTS} holds weights of no modality that {CONFIG} names: {', '.join(unknown[:3])}"
        )
    return towers


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

    def encode_video(self, clips: Sequence[Clip], views: tuple[int, int] = (1, 1)) -> Float32Array:
        """Encodes video files, or lists of the frames of a video in order; frames are sampled evenly from the first to the last.

        views: (samplings in time, crops in space) of a video file; their vectors are averaged. Kinetics is measured with (5, 3).
        """
        settings, (times, crops) = self._settings_of(Modality.VIDEO), views

        def read(clip: Clip) -> inputs.ModelInput:
            """Returns (views, frames, 3, side, side)."""
            if isinstance(clip, (str, Path)):
                return frames.views(Path(clip), settings.frames, settings.side, times, crops)
            sampled = [_as_path(clip[place]) for place in spread(len(clip), settings.frames)]
            return np.stack([inputs.read_image(picture, settings.side) for picture in sampled])[None]

        return self._encode_views(Modality.VIDEO, _listed(clips), read)

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
                return inputs.square_array(frames.middle(Path(picture), side), side)
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

    @torch.inference_mode()
    def _encode_views(
        self, modality: Modality, items: list[Any], read: Callable[[Any], inputs.ModelInput]
    ) -> Float32Array:
        """Encodes items of any number of views, and averages their vectors. read: returns (views, ...) for an item."""
        tower, features = self._towers[modality], [np.zeros((0, self.width), np.float32)]
        for start in range(0, len(items), self.batch_size):
            arrays = [read(item) for item in items[start : start + self.batch_size]]
            ends = np.cumsum([len(views) for views in arrays])[:-1]
            vectors = torch.cat([self._forward(tower, modality, chunk) for chunk in _chunks(arrays, self.batch_size)])
            means = np.stack([views.mean(0) for views in np.split(vectors.numpy(), ends)])
            features.append(means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12))
        return np.concatenate(features)

    def _forward(self, tower: ModalityTower, modality: Modality, stacked: inputs.ModelInput) -> torch.Tensor:
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
