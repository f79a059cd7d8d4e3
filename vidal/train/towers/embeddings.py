"""Turns pictures, spectrograms of sounds, and groups of frames of a video into the tokens that CLIP's vision tower takes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidal.errors import UserError


def embed_pictures(embeddings: Any, pixels: Tensor, grid: list[int] | None) -> Tensor:
    """Returns the tokens of pictures, (n, 1 + patches, d). The position embeddings are resized to the picture and added.

    pixels: (n, 3, h, w). embeddings: the module `embeddings` of a CLIPVisionModel. grid: the number of rows and columns of its position
    embeddings; None if both are equal.
    """
    if grid is None:
        hidden: Tensor = embeddings(pixels, interpolate_pos_encoding=True)
        return hidden
    patches = embeddings.patch_embedding(pixels)
    first = embeddings.class_embedding.expand(len(pixels), 1, -1)
    positions = resize_positions(embeddings.position_embedding.weight, grid, list(patches.shape[2:]))
    return torch.cat([first, patches.flatten(2).transpose(1, 2)], dim=1) + positions


def embed_tubes(embeddings: Any, pixels: Tensor) -> Tensor:
    """Returns the tokens of videos, (n * t, 1 + patches, d), where t is the number of groups of frames. Each group has a class token.

    LanguageBind's V1.5 embeds videos in this way.

    pixels: (n, frames, 3, h, w). embeddings: the module `embeddings` of a CLIPVisionModel, after add_tubes has changed it. Raises
    UserError if a video has more groups than `embeddings` has class embeddings.
    """
    patches = embeddings.patch_embedding(pixels.transpose(1, 2)).flatten(3).permute(0, 2, 3, 1)  # (n, t, patches, d)
    count, groups = patches.shape[:2]
    if groups > len(embeddings.class_embedding):
        raise UserError(
            f"a video has {groups} groups of frames, but this tower takes at most {len(embeddings.class_embedding)}: "
            "give it videos of fewer frames"
        )
    first = embeddings.class_embedding[:groups, None].expand(count, -1, -1, -1)
    hidden: Tensor = torch.cat([first, patches], dim=2) + embeddings.position_embedding.weight
    return hidden.flatten(0, 1)


def add_tubes(embeddings: Any, frames: int, tube: int) -> None:
    """Replaces the patch and class embeddings of pictures by embeddings for videos of `frames` frames.

    A patch then spans `tube` frames. Its weights are the old ones for the first of these frames, and zero for the others. Each group of
    `tube` frames gets its own class embedding, a copy of the old one.
    """
    flat = embeddings.patch_embedding
    size = (tube, *flat.kernel_size)
    embeddings.patch_embedding = nn.Conv3d(flat.in_channels, flat.out_channels, size, size, bias=False)
    with torch.no_grad():
        embeddings.patch_embedding.weight.zero_()
        embeddings.patch_embedding.weight[:, :, 0] = flat.weight
    embeddings.class_embedding = nn.Parameter(embeddings.class_embedding.data.repeat(frames // tube, 1))


def resize_positions(weight: Tensor, grid: list[int], wanted: list[int]) -> Tensor:
    """Returns position embeddings for the grid `wanted`, (1 + rows * columns, d), interpolated as in open_clip and LanguageBind.

    weight: the position embeddings for `grid`, (1 + rows * columns, d). The first is for the class token. grid, wanted: [rows, columns].
    """
    if grid == wanted:
        return weight
    places = weight[1:].unflatten(0, (grid[0], grid[1])).permute(2, 0, 1)[None]
    resized = F.interpolate(places, size=wanted, mode="bicubic", antialias=True, align_corners=False)
    return torch.cat([weight[:1], resized[0].flatten(1).T])
