"""An encoder maps every modality that it was trained for, and text, to one space. On disk: config.json and model.safetensors."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

from vidal import __version__
from vidal.config.base import ModelSpec
from vidal.errors import UserError
from vidal.models.device import choose_device
from vidal.train import frames, inputs, published
from vidal.train.reading import spread
from vidal.train.settings import Encoder, Modality, Train
from vidal.train.towers import ModalityTower, TextTower, open_text_tower, open_tower
from vidal.train.weights import fill

CONFIG, WEIGHTS = "config.json", "model.safetensors"
FORMAT = 1
# A file, a picture that is none of its own, or several of one clip.
Files = Sequence[Any]


def save(folder: Path, towers: Mapping[Modality, nn.Module], settings: Train, text: TextTower) -> None:
    """Weights of all modalities, and what builds their towers again. The language tower is named, not copied: it was never altered."""
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
    _whole(folder / WEIGHTS, lambda path: save_file(state, path))
    _whole(folder / CONFIG, lambda path: path.write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8"))


def load_encoder(path: str | Path, device: str | None = None) -> BoundEncoder:
    """An encoder that `vidal train` wrote, or a checkpoint that LanguageBind published.

    Raises UserError where it is neither, or a weight is missing or not known, by its name.
    """
    folder = Path(path)
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: no encoder of vidal: {CONFIG} cannot be read: {error}") from error
    chosen = torch.device(choose_device(device))
    if published.is_published(config):
        modality, encoder, tower, own = published.load(folder, config)
        return BoundEncoder({modality: tower}, {modality: encoder}, lambda: own, chosen)
    if config.get("format") != FORMAT:
        raise UserError(f"{path}: {CONFIG} is of format {config.get('format')!r}, this vidal reads {FORMAT}")
    towers: dict[Modality, ModalityTower] = {}
    settings = {Modality(name): Encoder.model_validate(each["settings"]) for name, each in config["modalities"].items()}
    with safe_open(folder / WEIGHTS, "pt") as weights:
        names = set(weights.keys())
        for modality, encoder in settings.items():
            tower = open_tower(modality, encoder, config["width"], config["modalities"][modality.value]["architecture"])
            prefix = f"{modality.value}."
            state = {name.removeprefix(prefix): weights.get_tensor(name) for name in names if name.startswith(prefix)}
            fill(tower, state, str(path), prefix)
            towers[modality] = tower
    if strangers := sorted(name for name in names if name.partition(".")[0] not in config["modalities"]):
        raise UserError(f"{path}: {WEIGHTS} holds weights of no modality of it: {', '.join(strangers[:3])}")
    text = ModelSpec.model_validate(config["text"])
    return BoundEncoder(towers, settings, lambda: open_text_tower(text), chosen)


class BoundEncoder:
    """Encodes media and texts into vectors that can be compared. All methods return (n, width) float32, L2-normalised.

    A file that cannot be read raises RecordError; a modality that the encoder was not bound for, UserError.
    """

    def __init__(
        self,
        towers: dict[Modality, ModalityTower],
        settings: dict[Modality, Encoder],
        open_text: Callable[[], Any],
        device: torch.device,
    ):
        """open_text: returns the language tower; called when it is first needed."""
        self._towers = {modality: tower.to(device).eval() for modality, tower in towers.items()}
        self._settings, self._device = settings, device
        self._open_text = open_text
        self._text: Any = None
        self.batch_size = 32

    @property
    def modalities(self) -> list[str]:
        return [modality.value for modality in self._towers]

    @property
    def text(self) -> Any:
        """The language tower: width, and encode(texts)."""
        if self._text is None:
            self._text = self._open_text()
        return self._text

    def encode_text(self, texts: Sequence[str]) -> np.ndarray:
        return np.asarray(self.text.encode(list(texts)))

    def encode_image(self, paths: Files) -> np.ndarray:
        return self._pictures(Modality.IMAGE, paths)

    def encode_infrared(self, paths: Files) -> np.ndarray:
        """Encodes infrared pictures. An item with several pictures of a clip becomes their mean."""
        return self._pictures(Modality.INFRARED, paths)

    def encode_depth(self, paths: Files, kind: str = "metric") -> np.ndarray:
        """Encodes uint16 depth PNGs. kind: depth_kind of the manifest. An item with several pictures becomes their mean."""
        side = self._of(Modality.DEPTH).side
        return self._grouped(Modality.DEPTH, paths, lambda path: inputs.read_depth(_source(path), side, kind))

    def encode_video(self, clips: Files, views: tuple[int, int] = (1, 1)) -> np.ndarray:
        """Each a list of pictures in order, or a video file, of which frames are taken evenly from the first to the last.

        views: how many samplings in time and crops in space of a file are averaged (5, 3 for Kinetics).
        """
        settings, times = self._of(Modality.VIDEO), views[0]

        def read(clip: Any) -> np.ndarray:
            """(views, frames, 3, side, side)."""
            if isinstance(clip, (str, Path)):
                return frames.views(Path(clip), settings.frames, settings.side, times, views[1])
            paths = list(clip)
            chosen = [_source(paths[i]) for i in spread(len(paths), settings.frames)]
            return np.stack([inputs.read_image(path, settings.side) for path in chosen])[None]

        return self._averaged(Modality.VIDEO, list(clips), read)

    def encode_audio(self, paths: Sequence[str | Path]) -> np.ndarray:
        fbank = self._of(Modality.AUDIO).fbank
        return self._averaged(Modality.AUDIO, list(paths), lambda path: inputs.read_sound(Path(path), fbank)[None])

    def _pictures(self, modality: Modality, paths: Files) -> np.ndarray:
        side = self._of(modality).side

        def read(path: Any) -> np.ndarray:
            if isinstance(path, (str, Path)) and Path(path).suffix.lower() in frames.EXTENSIONS:
                return inputs.square_array(frames.middle(Path(path), side), side)
            return inputs.read_image(_source(path), side)

        return self._grouped(modality, paths, read)

    def _grouped(self, modality: Modality, items: Files, read: Callable[[Any], np.ndarray]) -> np.ndarray:
        def several(item: Any) -> np.ndarray:
            return np.stack([read(each) for each in (item if isinstance(item, (list, tuple)) else [item])])

        return self._averaged(modality, list(items), several)

    @torch.inference_mode()
    def _averaged(self, modality: Modality, items: list[Any], read: Callable[[Any], np.ndarray]) -> np.ndarray:
        """read: an item's (views, ...) arrays, whose vectors are averaged."""
        tower, features = self._towers[modality], [np.zeros((0, self.text.width), np.float32)]
        for start in range(0, len(items), self.batch_size):
            arrays = [read(item) for item in items[start : start + self.batch_size]]
            ends = np.cumsum([len(each) for each in arrays])[:-1]
            vectors = torch.cat([self._forward(tower, modality, part) for part in _parts(arrays, self.batch_size)])
            means = np.stack([part.mean(0) for part in np.split(vectors.numpy(), ends)])
            features.append(means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12))
        return np.concatenate(features)

    def _forward(self, tower: ModalityTower, modality: Modality, stacked: np.ndarray) -> torch.Tensor:
        pixels = inputs.normalise(modality, torch.from_numpy(stacked).to(self._device), tower.mean, tower.std)
        return F.normalize(tower(pixels).float(), dim=-1).cpu()

    def _of(self, modality: Modality) -> Encoder:
        if modality not in self._settings:
            raise UserError(f"this encoder is bound for {', '.join(self.modalities)}, not for {modality.value}")
        return self._settings[modality]


def _source(path: Any) -> Any:
    return Path(path) if isinstance(path, str) else path


def _parts(arrays: list[np.ndarray], size: int) -> Iterator[np.ndarray]:
    """All views of all items, at most `size` at a time."""
    flat = np.concatenate(arrays)
    for start in range(0, len(flat), size):
        yield flat[start : start + size]


def _whole(path: Path, write: Callable[[Path], Any]) -> None:
    aside = path.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        write(aside)
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)
