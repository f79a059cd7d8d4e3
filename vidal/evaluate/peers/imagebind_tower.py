"""ImageBind's networks, one transformer for each modality. They are written from the paper (Girdhar et al. 2023), and take ImageBind's
published weights.

Weights keep their published names, without the part that names the modality. The sizes of a network follow from the shapes of its
weights; only the numbers of heads and the stride over spectrograms, which the shapes do not show, are constants.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidal.errors import UserError

# By ImageBind's names of modalities.
HEADS = {"vision": 16, "text": 16, "audio": 12, "depth": 8, "thermal": 12}
_STEM = {"depth": "depth_stem"}  # The others: rgbt_stem.
_SPECTROGRAM = (128, 204)  # Mel bins and frames.
_SPECTROGRAM_STRIDE = 10
_EPS = 1e-6


class Block(nn.Module):
    """A transformer layer with norms before attention and MLP. has_bias_kv: whether attention has an additional learned key and value."""

    def __init__(self, width: int, hidden: int, heads: int, has_bias_kv: bool):
        super().__init__()
        self.attn = nn.MultiheadAttention(width, heads, add_bias_kv=has_bias_kv, batch_first=True)
        self.norm_1, self.norm_2 = nn.LayerNorm(width, eps=_EPS), nn.LayerNorm(width, eps=_EPS)
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(width, hidden), "fc2": nn.Linear(hidden, width)})

    def forward(self, tokens: Tensor, mask: Tensor | None) -> Tensor:
        normed = self.norm_1(tokens)
        tokens = tokens + self.attn(normed, normed, normed, need_weights=False, attn_mask=mask)[0]
        output: Tensor = tokens + self.mlp["fc2"](F.gelu(self.mlp["fc1"](self.norm_2(tokens))))
        return output


class Trunk(nn.Module):
    """The transformer layers of a modality; for vision, a norm precedes the first layer. heads: the number of attention heads.

    shapes: the shapes of the weights, by name. Raises UserError if the width is not a multiple of `heads`.
    """

    def __init__(self, shapes: Mapping[str, torch.Size], heads: int):
        super().__init__()
        hidden, width = shapes["trunk.blocks.0.mlp.fc1.weight"]
        _require_heads(width, heads)
        depth = len({name.split(".")[2] for name in shapes if name.startswith("trunk.blocks.")})
        if "trunk.pre_transformer_layer.0.weight" in shapes:
            self.pre_transformer_layer = nn.Sequential(nn.LayerNorm(width, eps=_EPS))
        else:
            self.pre_transformer_layer = nn.Sequential()
        has_bias_kv = "trunk.blocks.0.attn.bias_k" in shapes
        self.blocks = nn.ModuleList(Block(width, hidden, heads, has_bias_kv) for _ in range(depth))

    def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        tokens = self.pre_transformer_layer(tokens)
        for block in self.blocks:
            tokens = block(tokens, mask)
        return tokens


class _Learned(nn.Module):
    """Holds position embeddings under their published name."""

    def __init__(self, shape: torch.Size):
        super().__init__()
        self.pos_embed = nn.Parameter(torch.zeros(shape))


class _Stem(nn.Module):
    """Embeds the patches of an array.

    prefix: how the names of its weights in `shapes` begin. stride: the distance from one patch to the next; None if they do not overlap.
    """

    def __init__(self, prefix: str, shapes: Mapping[str, torch.Size], stride: int | None, is_video: bool):
        super().__init__()
        width, channels, *kernel = shapes[prefix + ("proj.1.weight" if is_video else "proj.weight")]
        layer: Any = nn.Conv3d if is_video else nn.Conv2d
        patches = layer(channels, width, tuple(kernel), stride or tuple(kernel), bias=False)
        self.proj = nn.Sequential(nn.Identity(), patches) if is_video else patches
        self.kernel = kernel[-1]
        if f"{prefix}norm_layer.weight" in shapes:
            self.norm_layer: nn.Module = nn.LayerNorm(width)
        else:
            self.norm_layer = nn.Identity()

    def forward(self, array: Tensor) -> Tensor:
        patches: Tensor = self.norm_layer(self.proj(array).flatten(2).transpose(1, 2))
        return patches


class _Embedding(nn.Module):
    """Turns an array into tokens: a class token, then the embedded patches, with learned positions added."""

    def __init__(self, kind: str, shapes: Mapping[str, torch.Size]):
        super().__init__()
        stem, stride = _STEM.get(kind, "rgbt_stem"), _SPECTROGRAM_STRIDE if kind == "audio" else None
        self.cls_token = nn.Parameter(torch.zeros(shapes["preprocessor.cls_token"]))
        self.pos_embedding_helper = _Learned(shapes["preprocessor.pos_embedding_helper.pos_embed"])
        self._stem = stem
        self.add_module(stem, _Stem(f"preprocessor.{stem}.", shapes, stride, is_video=kind == "vision"))

    @property
    def stem(self) -> _Stem:
        module = self.get_submodule(self._stem)
        assert isinstance(module, _Stem)
        return module

    def forward(self, array: Tensor) -> Tensor:
        patches = self.stem(array)
        tokens = torch.cat([self.cls_token.expand(len(array), -1, -1), patches], dim=1)
        output: Tensor = tokens + self.pos_embedding_helper.pos_embed
        return output


class MediaNetwork(nn.Module):
    """The network of vision, audio, depth or thermal. side: the side of its square pictures in pixels; 0 for audio.

    kind: ImageBind's name of the modality. shapes: the shapes of the weights, by name. Raises UserError if they do not fit together.
    """

    def __init__(self, kind: str, shapes: Mapping[str, torch.Size]):
        super().__init__()
        self.preprocessor, is_sound = _Embedding(kind, shapes), kind == "audio"
        self.trunk = Trunk(shapes, HEADS[kind])
        width = shapes["head.0.weight"][0]
        self.head = nn.ModuleDict(
            {"0": nn.LayerNorm(width, eps=_EPS), "2": nn.Linear(width, shapes["head.2.weight"][0], bias=False)}
        )
        positions = shapes["preprocessor.pos_embedding_helper.pos_embed"][1] - 1
        kernel = self.preprocessor.stem.kernel
        self.side = 0 if is_sound else math.isqrt(positions) * kernel
        expected = _sound_patches(kernel) if is_sound else (self.side // kernel) ** 2
        if positions != expected:
            raise UserError(
                f"ImageBind's weights for {kind} have {positions} positions instead of {expected}: give imagebind_huge.pth"
            )

    def forward(self, array: Tensor) -> Tensor:
        first = self.trunk(self.preprocessor(array))[:, 0]
        output: Tensor = self.head["2"](self.head["0"](first))
        return output


class _Words(nn.Module):
    """Embeds the tokens of texts, with learned positions. mask: the causal attention mask; it is loaded from the file of the weights."""

    mask: Tensor

    def __init__(self, shapes: Mapping[str, torch.Size]):
        super().__init__()
        words, width = shapes["preprocessor.token_embedding.weight"]
        self.token_embedding = nn.Embedding(words, width)
        self.pos_embed = nn.Parameter(torch.zeros(shapes["preprocessor.pos_embed"]))
        self.register_buffer("mask", torch.zeros(shapes["preprocessor.mask"]))

    def forward(self, tokens: Tensor) -> Tensor:
        embedded: Tensor = self.token_embedding(tokens) + self.pos_embed
        return embedded


class TextNetwork(nn.Module):
    """ImageBind's network for texts. shapes: the shapes of the weights, by name."""

    def __init__(self, shapes: Mapping[str, torch.Size]):
        super().__init__()
        self.preprocessor, self.trunk = _Words(shapes), Trunk(shapes, HEADS["text"])
        width = shapes["head.proj.0.weight"][0]
        projection = nn.Linear(width, shapes["head.proj.1.weight"][0], bias=False)
        self.head = nn.ModuleDict({"proj": nn.Sequential(nn.LayerNorm(width, eps=_EPS), projection)})

    @property
    def length(self) -> int:
        """The number of tokens of a text, with padding."""
        return self.preprocessor.pos_embed.shape[1]

    def forward(self, tokens: Tensor) -> Tensor:
        """Returns the vectors of texts, (n, width). tokens: (n, length); the highest token id of a text marks its end."""
        hidden = self.trunk(self.preprocessor(tokens), self.preprocessor.mask)
        output: Tensor = self.head["proj"](hidden[torch.arange(len(tokens), device=tokens.device), tokens.argmax(-1)])
        return output


def _sound_patches(kernel: int) -> int:
    bins, frames = ((length - kernel) // _SPECTROGRAM_STRIDE + 1 for length in _SPECTROGRAM)
    return bins * frames


def _require_heads(width: int, heads: int) -> None:
    if width % heads:
        raise UserError(
            f"ImageBind's weights have width {width}, which is not a multiple of the number of heads ({heads}): "
            "give imagebind_huge.pth"
        )
