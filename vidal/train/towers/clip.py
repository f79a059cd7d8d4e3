"""CLIP's vision tower (transformers) for every modality, after LanguageBind: attention over time for videos, LoRA, patch dropout.

Its weights keep transformers' names, and those of time LanguageBind's (temporal_attn, temporal_layer_norm1, temporal_embedding).
"""

from __future__ import annotations

import copy
import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from transformers import CLIPConfig, CLIPVisionConfig, CLIPVisionModelWithProjection

from vidal.errors import UserError
from vidal.models.availability import CheckpointWeights
from vidal.models.weights import transformers_source
from vidal.train.settings import Encoder, Modality
from vidal.train.towers import ModalityTower
from vidal.train.towers.patches import kept_patches

# OpenAI's, which all CLIP models of transformers were trained with.
MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
PROJECTIONS = ("q_proj", "k_proj", "v_proj", "out_proj")


class ClipTower(ModalityTower):
    """tuning: lora (rank-r adapters on q, k, v and out, of a video the temporal ones, beside the class embedding, the last norm, the
    projection and what time brings in), full, or head (last norm and projection).
    """

    def __init__(self, modality: Modality, settings: Encoder, width: int, architecture: dict[str, Any] | None):
        super().__init__(MEAN, STD)
        self.video = modality is Modality.VIDEO
        model = _fresh(architecture) if architecture else _pretrained(modality, settings)
        if model.config.projection_dim != width:
            raise UserError(
                f"train.modalities.{modality.value}: {settings.model.id} has features of width {model.config.projection_dim}, "
                f"the language tower of {width}: name the same model in train.text"
            )
        self._grid = (architecture or {}).get("grid")
        if self._grid:
            model.vision_model.embeddings.position_embedding = nn.Embedding(
                math.prod(self._grid) + 1, model.config.hidden_size
            )
        self.architecture = {"adapter": "clip", "vision_config": model.config.to_dict(), "grid": self._grid}
        self.vision_model, self.visual_projection = model.vision_model, model.visual_projection
        self._patch_dropout, self._checkpoints = settings.patch_dropout, False
        if self.video:
            for layer in self.vision_model.encoder.layers:
                _add_time(layer, settings.frames)
        _tune(self, settings)

    def checkpoint_activations(self) -> None:
        self._checkpoints = True

    def forward(self, pixels: Tensor) -> Tensor:
        frames = pixels.shape[1] if pixels.ndim == 5 else 1
        flat = pixels.flatten(0, 1) if pixels.ndim == 5 else pixels
        hidden = self._embedded(flat)
        if self.training and self._patch_dropout:
            hidden = kept_patches(hidden, self._patch_dropout, frames)
        hidden = self.vision_model.pre_layrnorm(hidden)
        for layer in self.vision_model.encoder.layers:
            if self._checkpoints and self.training:
                hidden = checkpoint(self._layer, layer, hidden, frames, use_reentrant=False)
            else:
                hidden = self._layer(layer, hidden, frames)
        first = self.vision_model.post_layernorm(hidden[:, 0])
        output: Tensor = self.visual_projection(first.unflatten(0, (-1, frames)).mean(1))
        return output

    def _embedded(self, flat: Tensor) -> Tensor:
        """(n, 1 + patches, d). grid: rows and columns that positions were learned for, where these are no square to interpolate in."""
        embeddings = self.vision_model.embeddings
        if self._grid is None:
            hidden: Tensor = embeddings(flat, interpolate_pos_encoding=True)
            return hidden
        patches = embeddings.patch_embedding(flat).flatten(2).transpose(1, 2)
        first = embeddings.class_embedding.expand(len(flat), 1, -1)
        output: Tensor = torch.cat([first, patches], dim=1) + embeddings.position_embedding.weight
        return output

    def _layer(self, layer: Any, hidden: Tensor, frames: int) -> Tensor:
        if self.video:
            hidden = _over_time(layer, hidden, frames)
        made = layer(hidden, None)
        output: Tensor = made[0] if isinstance(made, tuple) else made
        return output


def _over_time(layer: Any, hidden: Tensor, frames: int) -> Tensor:
    """(n * t, p, d): every place looks at itself in the other frames, before the frame looks at its places."""
    if frames > layer.temporal_embedding.shape[1]:
        raise UserError(
            f"videos of {frames} frames: this tower has embeddings of time for {layer.temporal_embedding.shape[1]}"
        )
    places = hidden.shape[1]
    along = hidden.unflatten(0, (-1, frames)).transpose(1, 2).flatten(0, 1)  # (n * p, t, d)
    if frames > 1:
        along = along + layer.temporal_embedding[:, :frames]
    attended, _ = layer.temporal_attn(layer.temporal_layer_norm1(along), attention_mask=None)
    output: Tensor = (along + attended).unflatten(0, (-1, places)).transpose(1, 2).flatten(0, 1)
    return output


def _add_time(layer: Any, frames: int) -> None:
    """Attention over time starts as a copy of that over space, with its norm; its embeddings are drawn as LanguageBind's."""
    width = layer.embed_dim
    layer.temporal_attn = copy.deepcopy(layer.self_attn)
    layer.temporal_layer_norm1 = copy.deepcopy(layer.layer_norm1)
    layer.temporal_embedding = nn.Parameter(torch.randn(1, frames, width) * width**-0.5)


def _tune(tower: ClipTower, settings: Encoder) -> None:
    if settings.tuning == "full":
        return
    tower.requires_grad_(False)
    tower.vision_model.post_layernorm.requires_grad_(True)
    tower.visual_projection.requires_grad_(True)
    if settings.tuning == "head":
        return
    from peft import LoraConfig, inject_adapter_in_model

    where = "temporal_attn" if tower.video else "self_attn"
    lora = LoraConfig(
        r=settings.lora.rank,
        lora_alpha=int(settings.lora.alpha) if settings.lora.alpha == int(settings.lora.alpha) else settings.lora.alpha,  # type: ignore[arg-type]
        lora_dropout=settings.lora.dropout,
        target_modules=[f"{where}.{name}" for name in PROJECTIONS],
    )
    inject_adapter_in_model(lora, tower.vision_model)
    tower.vision_model.embeddings.class_embedding.requires_grad_(True)
    tower.vision_model.post_layernorm.requires_grad_(True)
    if tower.video:
        for layer in tower.vision_model.encoder.layers:
            layer.temporal_embedding.requires_grad_(True)
            layer.temporal_layer_norm1.requires_grad_(True)


def _fresh(architecture: dict[str, Any]) -> CLIPVisionModelWithProjection:
    return CLIPVisionModelWithProjection(CLIPVisionConfig.from_dict(architecture["vision_config"]))


def _pretrained(modality: Modality, settings: Encoder) -> CLIPVisionModelWithProjection:
    if why := CheckpointWeights().why_unavailable(settings.model):
        raise UserError(f"train.modalities.{modality.value}: {why}")
    source, arguments = transformers_source(settings.model)
    config = CLIPConfig.from_pretrained(source, **arguments)
    vision = config.vision_config
    vision.projection_dim = config.projection_dim
    return CLIPVisionModelWithProjection.from_pretrained(source, config=vision, **arguments)
