"""Exports an encoder in the file format of LanguageBind, or of CLIP in transformers: one folder per modality."""

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
# ln(100), the final logit scale of CLIP. It is written for every encoder, because encoders of vidal do not store their own.
_LOGIT_SCALE = 4.6052


@dataclass(frozen=True)
class Exported:
    """A folder that export_encoder wrote, and the modality of its tower."""

    modality: str
    folder: str


def export_encoder(encoder: str | Path, to: str | Path, layout: Layout, keep_adapters: bool = False) -> list[Exported]:
    """Writes each modality of an encoder into its own folder, `to`/MODALITY, together with the language tower and its tokenizer.

    encoder: a folder that load_encoder reads. layout: "languagebind", which LanguageBind's own classes and load_encoder read, or
    "transformers", which CLIPModel reads. CLIPModel takes neither videos nor spectrograms, so "transformers" allows only image, depth
    and infrared. keep_adapters: whether low-rank adapters are written beside the weights that they adapt, instead of merged into them;
    only for "languagebind".

    Raises UserError if a tower or the language tower is not a CLIP of transformers, or if the layout cannot hold a modality or adapters.
    """
    if keep_adapters and layout != "languagebind":
        raise UserError("--keep-adapters needs --format languagebind: --format transformers cannot hold adapters")
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
            f"{part.folder}: the tower for {modality.value} has adapter {tower.architecture['adapter']}, "
            "but only towers with adapter clip can be exported: train a tower with adapter clip"
        )
    if layout == "transformers" and modality in (Modality.VIDEO, Modality.AUDIO):
        raise UserError(
            f"{part.folder}: --format transformers cannot hold a tower for {modality.value}: give --format languagebind"
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
    """Returns the settings that LanguageBind adds to the vision_config of CLIP."""
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
    """Returns the weights of a tower by their names in LanguageBind, and the rank of its low-rank adapters.

    keep_adapters: whether the adapters stay separate; if not, they are merged into the weights that they adapt. The rank is 0 if they are
    merged, or if the tower has none.
    """
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
    """Returns the name that a weight or module has in LanguageBind's checkpoints with adapters.

    In such a checkpoint, peft has added "base_model.model." to the names of the vision encoder's weights. Other names stay the same.

    name: the name without this addition.
    """
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
