"""Reads the checkpoints that LanguageBind published (Zhu et al. 2024). The model_type in their config.json begins with LanguageBind.

The adapters of a checkpoint are merged into the weights that they adapt. A weight that vidal's towers do not have is an error. The
video checkpoints V1.5 and Huge can also be read. Their patches span a group of frames, and each group has its own class embedding.
"""

from __future__ import annotations

import hashlib
import json
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict, cast

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional as F
from transformers import CLIPTextConfig, CLIPTextModelWithProjection, CLIPTokenizer

from vidal.config.base import ModelSpec
from vidal.errors import UserError
from vidal.media.arrays import Float32Array
from vidal.models.text_batches import embed_in_batches
from vidal.train import adapters
from vidal.train.settings import Encoder, Fbank, Modality
from vidal.train.towers import Architecture, ClipText, ModalityTower
from vidal.train.towers.clip import ClipTower
from vidal.train.weights import check, fill

MODALITIES = {
    "LanguageBindImage": Modality.IMAGE,
    "LanguageBindVideo": Modality.VIDEO,
    "LanguageBindDepth": Modality.DEPTH,
    "LanguageBindThermal": Modality.INFRARED,
    "LanguageBindAudio": Modality.AUDIO,
}
_FILES = ("model.safetensors", "pytorch_model.bin")
_TOKENS = 77
_MEL_BINS, _FBANK_FRAMES = 112, 1036  # Of the published encoder of sounds.


class VisionConfig(TypedDict, total=False):
    """The keys of a vision_config that are used here; transformers reads the others."""

    lora_alpha: float
    num_mel_bins: int
    target_length: int
    image_size: int | list[int]
    num_frames: int
    patch_size: int


class PublishedConfig(TypedDict):
    """The config.json of a published checkpoint."""

    model_type: str
    vision_config: VisionConfig
    text_config: dict[str, object]
    projection_dim: int


@dataclass(frozen=True)
class Checkpoint:
    """A published checkpoint.

    vision, text: the weights of its two towers, by their names in transformers. text_config: the text_config of a CLIPConfig of
    transformers, as a dict. width: the length of its vectors.
    """

    modality: Modality
    settings: Encoder
    architecture: Architecture
    vision: dict[str, Tensor]
    text: dict[str, Tensor]
    text_config: dict[str, object]
    width: int


def is_published(config: Mapping[str, object]) -> bool:
    """Returns whether a config.json is that of a published checkpoint."""
    return config.get("model_type") in MODALITIES


def read(folder: Path, values: Mapping[str, object]) -> Checkpoint:
    """Reads a checkpoint. values: the content of its config.json.

    Raises UserError if a file is missing, unreadable or incomplete, if a weight is unknown, or if the encoder takes pictures that are not
    square.
    """
    config = cast(PublishedConfig, values)
    try:
        modality, vision, width = MODALITIES[config["model_type"]], config["vision_config"], config["projection_dim"]
        text_config: dict[str, object] = {**config["text_config"], "projection_dim": width}
    except (KeyError, TypeError) as error:
        raise UserError(
            f"{folder}: config.json is incomplete ({error!r}): use the checkpoint exactly as published"
        ) from error
    state = adapters.merged(_state(folder), float(vision.get("lora_alpha", 16)))
    # Recent versions of transformers do not save this buffer.
    state = {name: value for name, value in state.items() if not name.endswith(".position_ids")}
    seen = {name: value for name, value in state.items() if name.startswith(("vision_", "visual_"))}
    text = {name: value for name, value in state.items() if name.startswith("text_")}
    if unknown := sorted(state.keys() - seen.keys() - text.keys() - {"logit_scale"}):
        raise UserError(
            f"{folder} holds weights that LanguageBind's checkpoints do not have ({', '.join(unknown[:3])}): "
            "use the checkpoint exactly as published"
        )
    settings = _settings(folder, modality, vision)
    return Checkpoint(
        modality, settings, _architecture(modality, settings, vision, width, seen), seen, text, text_config, width
    )


def load_tower(folder: Path, checkpoint: Checkpoint) -> ModalityTower:
    """Returns the tower of a checkpoint. Raises UserError if weights are missing, unknown or of another shape; the error names them."""
    tower = ClipTower(checkpoint.modality, checkpoint.settings, checkpoint.width, checkpoint.architecture)
    fill(tower, checkpoint.vision, str(folder))
    return tower


def check_text(folder: Path, checkpoint: Checkpoint) -> None:
    """Checks the weights of the language tower without allocating it.

    Raises UserError if weights are missing, unknown or of another shape; the error names them.
    """
    with torch.device("meta"):
        model = CLIPTextModelWithProjection(CLIPTextConfig.from_dict(checkpoint.text_config))
    check(model, checkpoint.text, str(folder))


class PublishedText:
    """The language tower of a published checkpoint; it is a towers.LanguageTower.

    Raises UserError if weights are missing, unknown or of another shape; the error names them.
    """

    def __init__(self, folder: Path, checkpoint: Checkpoint, device: torch.device):
        self._model = CLIPTextModelWithProjection(CLIPTextConfig.from_dict(checkpoint.text_config)).eval()
        fill(self._model, checkpoint.text, str(folder))
        self._model.to(device)
        self._tokenizer = CLIPTokenizer.from_pretrained(str(folder))
        self.name, self.width = str(folder), checkpoint.width
        self.identity = _content(checkpoint.text)

    def encode(self, texts: list[str]) -> Tensor:
        """Returns the features of n texts, (n, width) float32, L2-normalised, on the CPU and without gradients."""
        return torch.from_numpy(embed_in_batches(texts, self._embed))

    def clip_text(self) -> ClipText:
        """Returns the weights, the configuration and the tokenizer of the tower, in the form of CLIP's text model in transformers."""
        state = {name: value.cpu() for name, value in self._model.state_dict().items()}
        return ClipText(state, self._model.config.to_dict(), self._tokenizer)

    @torch.inference_mode()
    def _embed(self, texts: list[str]) -> Float32Array:
        tokens = self._tokenizer(texts, padding="max_length", truncation=True, max_length=_TOKENS, return_tensors="pt")
        features = self._model(**tokens.to(self._model.device)).text_embeds
        values: Float32Array = F.normalize(features.float(), dim=-1).cpu().numpy()
        return values


def _content(state: dict[str, Tensor]) -> str:
    """Returns the SHA-256 of the names and values of weights."""
    digest = hashlib.sha256()
    for name in sorted(state):
        digest.update(name.encode())
        digest.update(state[name].detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _state(folder: Path) -> dict[str, Tensor]:
    """Returns the weights in a folder: in one file, or in several that an index lists. Raises UserError if there are none."""
    for name in _FILES:
        if (folder / name).is_file():
            return _read_weights(folder / name)
        if (folder / f"{name}.index.json").is_file():
            return _read_parts(folder, folder / f"{name}.index.json")
    raise UserError(f"{folder} has neither {' nor '.join(_FILES)}: use the checkpoint exactly as published")


def _read_parts(folder: Path, index: Path) -> dict[str, Tensor]:
    try:
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise UserError(f"{index} cannot be read ({error!r}): use the checkpoint exactly as published") from error
    state: dict[str, Tensor] = {}
    for name in names:
        state |= _read_weights(folder / Path(str(name)).name)
    return state


def _read_weights(path: Path) -> dict[str, Tensor]:
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        state: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, SafetensorError) as error:
        raise UserError(
            f"{path} cannot be read as PyTorch weights ({error}): use the checkpoint exactly as published"
        ) from error
    return state


def _settings(folder: Path, modality: Modality, vision: VisionConfig) -> Encoder:
    mel = Fbank(
        mel_bins=vision.get("num_mel_bins") or _MEL_BINS,
        frames=vision.get("target_length") or _FBANK_FRAMES,
        fill="tile",
    )
    return Encoder(
        model=ModelSpec(adapter="clip", id=str(folder)),
        side=_side(folder, modality, vision),
        frames=vision.get("num_frames", 8) if modality is Modality.VIDEO else 1,
        fbank=mel,
    )


def _side(folder: Path, modality: Modality, vision: VisionConfig) -> int:
    """Returns the side of the square pictures that the checkpoint takes, in pixels.

    Raises UserError if they are not square. This does not apply to sounds: their spectrograms have another shape, and the side that is
    returned for them is not used.
    """
    size = vision.get("image_size", 224)
    if isinstance(size, int):
        return size
    if len(set(size)) > 1 and modality is not Modality.AUDIO:
        raise UserError(
            f"{folder}: image_size in config.json is {size}, but only square pictures can be read: use another checkpoint"
        )
    return max(size)


def _architecture(
    modality: Modality, settings: Encoder, vision: VisionConfig, width: int, state: dict[str, Tensor]
) -> Architecture:
    patches: Any = state.get("vision_model.embeddings.patch_embedding.weight")
    patch, fbank = vision.get("patch_size", 14), settings.fbank
    is_sound = modality is Modality.AUDIO
    return {
        "adapter": "clip",
        "vision_config": {**vision, "projection_dim": width, "image_size": settings.side},
        "grid": [fbank.mel_bins // patch, fbank.frames // patch] if is_sound else None,
        "tube": int(patches.shape[2]) if patches is not None and patches.ndim == 5 else None,
    }
