"""Writes an encoder as LanguageBind or as CLIP of transformers stores it: a folder for each modality."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor
from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel

from vidal.errors import UserError
from vidal.storage.atomic_file import written_aside
from vidal.train import adapters, published
from vidal.train.loading import Part, load_part
from vidal.train.settings import Encoder, Modality
from vidal.train.towers import ClipText, ModalityTower
from vidal.train.towers.clip import MEAN, STD, ClipTower

Layout = Literal["languagebind", "transformers"]
_TYPES = {modality: name for name, modality in published.MODALITIES.items()}
# CLIP's temperature at the end of its training. An encoder of vidal does not store the temperature that it was trained with.
_LOGIT_SCALE = 4.6052


@dataclass(frozen=True)
class Exported:
    """A folder that was written, and its modality."""

    modality: str
    folder: str


def export_encoder(encoder: str | Path, to: str | Path, layout: Layout, keep_adapters: bool = False) -> list[Exported]:
    """Writes each modality of an encoder into a folder of its own, with the language tower and its tokenizer.

    encoder: a folder that load_encoder reads. layout: "languagebind" (LanguageBind's own classes and load_encoder read it) or
    "transformers" (CLIPModel reads it; only for pictures, depth and infrared, because CLIPModel reads neither several frames nor
    spectrograms).
    keep_adapters: for "languagebind", writes low-rank adapters beside the weights that they adapt, instead of merging them.

    Raises UserError for towers and language towers that are not CLIP of transformers, and for modalities and adapters that the layout
    cannot hold.
    """
    if keep_adapters and layout != "languagebind":
        raise UserError("--keep-adapters: only the layout languagebind has a place for adapters")
    part = load_part(Path(encoder), torch.device("cpu"))
    write = _write_languagebind if layout == "languagebind" else _write_transformers
    text = part.open_text().clip_text()
    written = []
    for modality, tower in part.towers.items():
        clip = _require_clip(part, modality, tower, layout)
        folder = Path(to) / modality.value
        folder.mkdir(parents=True, exist_ok=True)
        text.tokenizer.save_pretrained(str(folder))
        write(folder, modality, clip, part.settings[modality], text, keep_adapters)
        written.append(Exported(modality.value, str(folder)))
    return written


def _require_clip(part: Part, modality: Modality, tower: ModalityTower, layout: Layout) -> ClipTower:
    if not isinstance(tower, ClipTower):
        raise UserError(
            f"{part.folder}: the tower for {modality.value} has adapter {tower.architecture['adapter']}, but only clip can be exported"
        )
    if layout == "transformers" and modality in (Modality.VIDEO, Modality.AUDIO):
        raise UserError(
            f"{part.folder}: CLIP of transformers has no place for {modality.value}: write it in the layout languagebind"
        )
    return tower


def _write_languagebind(
    folder: Path, modality: Modality, tower: ClipTower, settings: Encoder, text: ClipText, keep_adapters: bool
) -> None:
    state, rank = _weights(tower, settings, keep_adapters)
    vision = {
        **tower.architecture["vision_config"],
        **_languagebind_settings(modality, tower, settings),
        "lora_r": rank,
    }
    width = tower.visual_projection.weight.shape[0]
    config = {
        "model_type": _TYPES[modality],
        "architectures": [_TYPES[modality]],
        "projection_dim": width,
        "logit_scale_init_value": _LOGIT_SCALE,
        "text_config": text.config,
        "vision_config": vision,
    }
    with written_aside(folder / "pytorch_model.bin") as aside:
        torch.save({**text.state, **state, "logit_scale": torch.tensor(_LOGIT_SCALE)}, aside)
    with written_aside(folder / "config.json") as aside:
        aside.write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")


def _languagebind_settings(modality: Modality, tower: ModalityTower, settings: Encoder) -> dict[str, object]:
    """Returns the keys of a vision_config that LanguageBind adds to CLIP's."""
    is_video, is_sound = modality is Modality.VIDEO, modality is Modality.AUDIO
    tube = tower.architecture.get("tube")
    return {
        "add_time_attn": is_video,
        "clip_type": "vl_new" if tube else "vl",
        "tube_size": tube or 1,
        "num_frames": settings.frames if is_video else 1,
        "force_patch_dropout": settings.patch_dropout,
        "lora_alpha": settings.lora.alpha,
        "lora_dropout": settings.lora.dropout,
        "num_mel_bins": settings.fbank.mel_bins if is_sound else 0,
        "target_length": settings.fbank.frames if is_sound else 0,
        "audio_sample_rate": 16_000,
        "audio_mean": -4.2677393,
        "audio_std": 4.5689974,
        "max_depth": 10,
        "video_decode_backend": "decord",
    }


def _weights(tower: ModalityTower, settings: Encoder, keep_adapters: bool) -> tuple[dict[str, Tensor], int]:
    """Returns the weights of a tower by LanguageBind's names, and the rank of their adapters; 0 without adapters."""
    own = {name: value.detach().cpu() for name, value in tower.state_dict().items()}
    base, parts = adapters.split(own)
    if not keep_adapters or not parts:
        return adapters.merged(own, settings.lora.alpha), 0
    state = {_wrapped(name): value for name, value in base.items()}
    for name, (a, b) in parts.items():
        state[f"{_wrapped(name)}.lora_A.default.weight"] = a
        state[f"{_wrapped(name)}.lora_B.default.weight"] = b
    return state, settings.lora.rank


def _wrapped(name: str) -> str:
    """Returns the name that peft gives to a weight of the layers. LanguageBind wraps all layers in peft."""
    return name.replace("vision_model.encoder.", "vision_model.encoder.base_model.model.", 1)


def _write_transformers(
    folder: Path, modality: Modality, tower: ClipTower, settings: Encoder, text: ClipText, keep_adapters: bool
) -> None:
    state, _ = _weights(tower, settings, keep_adapters=False)
    width = tower.visual_projection.weight.shape[0]
    vision: Mapping[str, object] = tower.architecture["vision_config"]
    model = CLIPModel(CLIPConfig(text_config=text.config, vision_config=dict(vision), projection_dim=width))
    model.load_state_dict({**text.state, **state, "logit_scale": torch.tensor(_LOGIT_SCALE)})
    model.save_pretrained(str(folder))
    size = {"height": settings.side, "width": settings.side}
    CLIPImageProcessor(
        size={"shortest_edge": settings.side}, crop_size=size, image_mean=list(MEAN), image_std=list(STD)
    ).save_pretrained(str(folder))
