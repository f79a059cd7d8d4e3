"""CLIP's vision tower, from the library transformers, for every modality.

As in LanguageBind, it can be trained with low-rank adapters (LoRA) and with patch dropout. A tower for videos has attention over time.

Weights have the names that transformers gives them. Those of the attention over time, which transformers lacks, have LanguageBind's
names (temporal_attn, temporal_layer_norm1, temporal_embedding).
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
from vidal.models.strict_loading import from_pretrained
from vidal.models.weights import transformers_source
from vidal.train.settings import Encoder, Fbank, Modality
from vidal.train.towers import Architecture, ModalityTower
from vidal.train.towers.embeddings import add_tubes, embed_pictures, embed_tubes, resize_positions
from vidal.train.towers.patches import drop_patches

# OpenAI's values, which all CLIP models of transformers were trained with.
MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
PROJECTIONS = ("q_proj", "k_proj", "v_proj", "out_proj")


class ClipTower(ModalityTower):
    """CLIP's vision tower. `tuning` decides which weights are trained; the others are frozen.

    "full": all weights.
    "frozen": no weights.
    "head": the last norm and the projection.
    "attention": as "head", and also the class embedding and the attention. LanguageBind calls this full tuning.
    "lora": as "head", and also the class embedding and low-rank adapters on the attention.

    A tower for videos has attention over space and attention over time. In such a tower, "attention" and "lora" apply to the attention
    over time, and not to the attention over space. They also train the norm and the embedding of the attention over time.
    """

    def __init__(self, modality: Modality, settings: Encoder, width: int, architecture: Architecture | None):
        super().__init__(MEAN, STD)
        self.video = modality is Modality.VIDEO
        model = _untrained(architecture) if architecture else _pretrained(modality, settings)
        if model.config.projection_dim != width:
            raise UserError(
                f"train.modalities.{modality.value}: the features of {settings.model.id} have width {model.config.projection_dim}, "
                f"but those of the language tower have width {width}: name the same model in train.text"
            )
        self.vision_model, self.visual_projection = model.vision_model, model.visual_projection
        self._patch_dropout, self._checkpoints = settings.patch_dropout, False
        self._tube = architecture.get("tube") if architecture else None
        self._grid = architecture.get("grid") if architecture else self._stretched(modality, settings.fbank)
        if architecture and self._grid:
            self._set_positions(torch.zeros(math.prod(self._grid) + 1, model.config.hidden_size))
        if self._tube:
            add_tubes(self.vision_model.embeddings, settings.frames, self._tube)
        if self.video:
            for layer in self.vision_model.encoder.layers:
                _add_time(layer, settings.frames // (self._tube or 1))
        self.architecture = {
            "adapter": "clip",
            "vision_config": model.config.to_dict(),
            "grid": self._grid,
            "tube": self._tube,
        }

    def tune(self, settings: Encoder) -> None:
        _tune(self, settings)

    def _stretched(self, modality: Modality, fbank: Fbank) -> list[int] | None:
        """Fits the position embeddings to spectrograms. Returns the number of patches in a spectrogram, as [rows, columns].

        CLIP's own position embeddings are for square pictures. For modalities other than audio, does nothing and returns None.
        """
        if modality is not Modality.AUDIO:
            return None
        embeddings = self.vision_model.embeddings
        side = embeddings.image_size // embeddings.patch_size
        grid = [fbank.mel_bins // embeddings.patch_size, fbank.frames // embeddings.patch_size]
        self._set_positions(resize_positions(embeddings.position_embedding.weight.data, [side, side], grid))
        return grid

    def _set_positions(self, weight: Tensor) -> None:
        self.vision_model.embeddings.position_embedding = nn.Embedding.from_pretrained(weight, freeze=False)

    def checkpoint_activations(self) -> None:
        self._checkpoints = True

    def forward(self, pixels: Tensor) -> Tensor:
        hidden = self._embed(pixels)
        frames = len(hidden) // len(pixels)
        if self.training and self._patch_dropout:
            hidden = drop_patches(hidden, self._patch_dropout, frames)
        hidden = self.vision_model.pre_layrnorm(hidden)
        for layer in self.vision_model.encoder.layers:
            if self._checkpoints and self.training:
                hidden = checkpoint(self._run_layer, layer, hidden, frames, use_reentrant=False)
            else:
                hidden = self._run_layer(layer, hidden, frames)
        first = self.vision_model.post_layernorm(hidden[:, 0])
        output: Tensor = self.visual_projection(first.unflatten(0, (-1, frames)).mean(1))
        return output

    def _embed(self, pixels: Tensor) -> Tensor:
        """Returns the tokens, (n * frames, 1 + patches, d), with position embeddings added. frames: 1 for pictures."""
        embeddings = self.vision_model.embeddings
        if self._tube:
            return embed_tubes(embeddings, pixels)
        return embed_pictures(embeddings, pixels.flatten(0, 1) if pixels.ndim == 5 else pixels, self._grid)

    def _run_layer(self, layer: Any, hidden: Tensor, frames: int) -> Tensor:
        if self.video:
            hidden = _attend_over_time(layer, hidden, frames)
        result = layer(hidden, None)  # A tuple before transformers 5.
        output: Tensor = result[0] if isinstance(result, tuple) else result
        return output


def _attend_over_time(layer: Any, hidden: Tensor, frames: int) -> Tensor:
    """Lets each token attend to the tokens at the same place in all frames. hidden, result: (n * t, 1 + patches, d)."""
    if frames > layer.temporal_embedding.shape[1]:
        raise UserError(
            f"this tower takes videos of at most {layer.temporal_embedding.shape[1]} frames, not of {frames}: give fewer frames"
        )
    places = hidden.shape[1]
    along = hidden.unflatten(0, (-1, frames)).transpose(1, 2).flatten(0, 1)  # (n * p, t, d)
    if frames > 1:
        along = along + layer.temporal_embedding[:, :frames]
    attended, _ = layer.temporal_attn(layer.temporal_layer_norm1(along), attention_mask=None)
    output: Tensor = (along + attended).unflatten(0, (-1, places)).transpose(1, 2).flatten(0, 1)
    return output


def _add_time(layer: Any, frames: int) -> None:
    """Adds attention over time to a layer, as a copy of the layer's attention over space.

    The position embeddings of the frames have no original to copy, so they start with random values.
    """
    width = layer.embed_dim
    layer.temporal_attn = copy.deepcopy(layer.self_attn)
    layer.temporal_layer_norm1 = copy.deepcopy(layer.layer_norm1)
    layer.temporal_embedding = nn.Parameter(torch.randn(1, frames, width) * width**-0.5)


def _tune(tower: ClipTower, settings: Encoder) -> None:
    """Freezes the weights that settings.tuning does not train, and adds adapters if it is "lora"."""
    if settings.tuning == "full":
        return
    tower.requires_grad_(False)
    if settings.tuning == "frozen":
        return
    tower.vision_model.post_layernorm.requires_grad_(True)
    tower.visual_projection.requires_grad_(True)
    if settings.tuning == "head":
        return
    tower.vision_model.embeddings.class_embedding.requires_grad_(True)
    for layer in tower.vision_model.encoder.layers if tower.video else []:
        layer.temporal_embedding.requires_grad_(True)
        layer.temporal_layer_norm1.requires_grad_(True)
    if settings.tuning == "attention":
        for layer in tower.vision_model.encoder.layers:
            (layer.temporal_attn if tower.video else layer.self_attn).requires_grad_(True)
        return
    _add_adapters(tower, settings)


def _add_adapters(tower: ClipTower, settings: Encoder) -> None:
    from peft import LoraConfig, inject_adapter_in_model

    where = "temporal_attn" if tower.video else "self_attn"
    trained = {name for name, weight in tower.named_parameters() if weight.requires_grad}
    lora = LoraConfig(
        r=settings.lora.rank,
        lora_alpha=int(settings.lora.alpha) if settings.lora.alpha == int(settings.lora.alpha) else settings.lora.alpha,  # type: ignore[arg-type]
        lora_dropout=settings.lora.dropout,
        target_modules=[f"{where}.{name}" for name in PROJECTIONS],
    )
    inject_adapter_in_model(lora, tower.vision_model)
    for name, weight in tower.named_parameters():  # peft freezes what it does not adapt.
        if name in trained:
            weight.requires_grad_(True)


def _untrained(architecture: Architecture) -> CLIPVisionModelWithProjection:
    return CLIPVisionModelWithProjection(CLIPVisionConfig.from_dict(architecture["vision_config"]))


def _pretrained(modality: Modality, settings: Encoder) -> CLIPVisionModelWithProjection:
    if why := CheckpointWeights().why_unavailable(settings.model):
        raise UserError(f"train.modalities.{modality.value}: {why}")
    source, arguments = transformers_source(settings.model)
    config = CLIPConfig.from_pretrained(source, **arguments)
    vision = config.vision_config
    vision.projection_dim = config.projection_dim
    model: CLIPVisionModelWithProjection = from_pretrained(
        CLIPVisionModelWithProjection, source, config=vision, **arguments
    )
    return model
