"""Patch dropout: a training step uses only a random part of the patches of each picture (He et al. 2022; Li et al. 2023, FLIP)."""

from __future__ import annotations

import torch
from torch import Tensor


def drop_patches(tokens: Tensor, share: float, frames: int = 1) -> Tensor:
    """Returns the tokens without a random share of the patches: (n * frames, 1 + fewer patches, d).

    tokens: (n * frames, 1 + patches, d), with positions added. The class token is the first, and is never dropped. share: the share of
    the patches to drop. All frames of a clip lose the same patches, because attention over time compares patches at the same place.
    """
    count, patches = tokens.shape[0] // frames, tokens.shape[1] - 1
    count_left = max(1, int(patches * (1 - share)))  # Rounded down, as in open_clip and LanguageBind.
    order = torch.rand(count, patches, device=tokens.device).argsort(1)[:, :count_left]
    index = (order + 1).repeat_interleave(frames, 0)[:, :, None].expand(-1, -1, tokens.shape[2])
    return torch.cat((tokens[:, :1], tokens.gather(1, index)), 1)
