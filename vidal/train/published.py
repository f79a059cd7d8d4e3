"""Reads the checkpoints that LanguageBind published (Zhu et al. 2024). The model_type in their config.json begins with LanguageBind.

Their adapters are merged into the weights that they adapt. A weight without a place in our towers is an error that names it.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TypedDict

import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional as F
from transformers import CLIPTextConfig, CLIPTextModelWithProjection, CLIPTokenizer

from vidal.config.base import ModelSpec
from vidal.errors import UserError
from vidal.media.arrays import Float32Array
from vidal.models.text_batches import embed_in_batches
from vidal.train.settings import Encoder, Fbank, Modality
from vidal.train.towers import Architecture, ModalityTower
from vidal.train.towers.clip import ClipTower
from vidal.train.weights import fill

MODALITIES = {
    "LanguageBindImage": Modality.IMAGE,
    "LanguageBindVideo": Modality.VIDEO,
    "LanguageBindDepth": Modality.DEPTH,
    "LanguageBindThermal": Modality.INFRARED,
    "LanguageBindAudio": Modality.AUDIO,
}
_FILES = ("model.safetensors", "pytorch_model.bin")
_LORA = re.compile(r"(.+)\.lora_(A|B)(?:\.[^.]+)?\.weight")
_TOKENS = 77


class VisionConfig(TypedDict, total=False):
    """The keys of a vision_config that are used here; transformers reads the others."""

    lora_alpha: float
    num_mel_bins: int
    target_length: int
    image_size: int
    num_frames: int
    patch_size: int


class PublishedConfig(TypedDict):
    """The config.json of a published checkpoint."""

    model_type: str
    vision_config: VisionConfig
    text_config: dict[str, object]
    projection_dim: int


def is_published(config: Mapping[str, object]) -> bool:
    """Returns whether a config.json is that of a published checkpoint."""
    return config.get("model_type") in MODALITIES


def load(
    folder: Path, config: PublishedConfig, device: torch.device
) -> tuple[Modality, Encoder, ModalityTower, PublishedText]:
    """Loads a checkpoint. device: of its language tower. Raises UserError that names the file or weight that is missing, unknown or of another shape."""
    modality, state = MODALITIES[config["model_type"]], _plain(_state(folder), config)
    vision = config["vision_config"]
    settings = _settings(modality, vision)
    whole: dict[str, object] = {**vision, "projection_dim": config["projection_dim"]}
    architecture: Architecture = {"adapter": "clip", "vision_config": whole, "grid": _grid(modality, vision)}
    tower = ClipTower(modality, settings, config["projection_dim"], architecture)
    vision_state = {
        name: value for name, value in state.items() if name.startswith("visi") or name.startswith("visual")
    }
    text_state = {name: value for name, value in state.items() if name.startswith("text_")}
    if unknown := sorted(state.keys() - vision_state.keys() - text_state.keys() - {"logit_scale"}):
        raise UserError(f"{folder} holds weights that LanguageBind's checkpoints do not have: {', '.join(unknown[:3])}")
    fill(tower, vision_state, str(folder))
    return modality, settings, tower, PublishedText(folder, config, text_state, device)


class PublishedText:
    """The language tower of a published checkpoint: a towers.LanguageTower."""

    def __init__(self, folder: Path, config: PublishedConfig, state: dict[str, Tensor], device: torch.device):
        text = {**config["text_config"], "projection_dim": config["projection_dim"]}
        self._model = CLIPTextModelWithProjection(CLIPTextConfig.from_dict(text)).eval()
        fill(self._model, state, str(folder))
        self._model.to(device)
        self._tokenizer = CLIPTokenizer.from_pretrained(str(folder))
        self.name, self.revision, self.width = str(folder), "", config["projection_dim"]

    def encode(self, texts: list[str]) -> Tensor:
        """Returns (n, width) float32, L2-normalised, on the CPU and without gradients."""
        return torch.from_numpy(embed_in_batches(texts, self._embed))

    @torch.inference_mode()
    def _embed(self, texts: list[str]) -> Float32Array:
        tokens = self._tokenizer(texts, padding="max_length", truncation=True, max_length=_TOKENS, return_tensors="pt")
        features = self._model(**tokens.to(self._model.device)).text_embeds
        values: Float32Array = F.normalize(features.float(), dim=-1).cpu().numpy()
        return values


def _state(folder: Path) -> dict[str, Tensor]:
    path = next((folder / name for name in _FILES if (folder / name).is_file()), None)
    if path is None:
        raise UserError(f"{folder} has neither {' nor '.join(_FILES)}")
    if path.suffix == ".safetensors":
        return load_file(path)
    try:
        state: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise UserError(f"{path} holds something other than weights of torch: {error}") from error
    return state


def _plain(state: dict[str, Tensor], config: PublishedConfig) -> dict[str, Tensor]:
    """Returns the weights without peft's adapters: W + alpha / r * B A, under the name of W."""
    vision = config["vision_config"]
    clean = {
        name.replace(".base_model.model.", ".").replace(".base_layer.", "."): value for name, value in state.items()
    }
    adapters: dict[str, dict[str, Tensor]] = {}
    for name in list(clean):
        if name.endswith(".position_ids"):  # Recent versions of transformers do not save this buffer.
            del clean[name]
        elif match := _LORA.fullmatch(name):
            adapters.setdefault(match[1], {})[match[2]] = clean.pop(name)
    for name, each in adapters.items():
        if each.keys() != {"A", "B"} or f"{name}.weight" not in clean:
            raise UserError(f"the adapter of {name} lacks one of its two parts, or the weight that it adapts")
        scale = float(vision.get("lora_alpha", 16)) / each["A"].shape[0]
        clean[f"{name}.weight"] = clean[f"{name}.weight"] + scale * each["B"] @ each["A"]
    return clean


def _settings(modality: Modality, vision: VisionConfig) -> Encoder:
    mel = Fbank(mel_bins=vision.get("num_mel_bins") or 112, frames=vision.get("target_length") or 1036, fill="tile")
    return Encoder(
        model=ModelSpec(adapter="clip"),
        side=vision.get("image_size", 224),
        frames=vision.get("num_frames", 8) if modality is Modality.VIDEO else 1,
        fbank=mel,
    )


def _grid(modality: Modality, vision: VisionConfig) -> list[int] | None:
    """Returns the rows (mel) and columns (time) of patches of a sound that positions were learned for; None for pictures."""
    if modality is not Modality.AUDIO:
        return None
    patch, fbank = vision["patch_size"], _settings(modality, vision).fbank
    return [fbank.mel_bins // patch, fbank.frames // patch]
