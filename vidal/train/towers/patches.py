"""Patch dropout: a step sees a part of every picture (He et al. 2022; Li et al. 2023, FLIP)."""

from __future__ import annotations

import torch
from torch import Tensor


def kept_patches(tokens: Tensor, share: float, frames: int = 1) -> Tensor:
    """tokens: (n * frames, 1 + patches, d), the class token first, which stays. share: of the patches that are left out.

    Positions are in the tokens already. The frames of one clip keep the same patches, so that time can be looked along.
    """
    count, patches = tokens.shape[0] // frames, tokens.shape[1] - 1
    kept = max(1, round(patches * (1 - share)))
    order = torch.rand(count, patches, device=tokens.device).argsort(1)[:, :kept]
    index = (order + 1).repeat_interleave(frames, 0)[:, :, None].expand(-1, -1, tokens.shape[2])
    return torch.cat((tokens[:, :1], tokens.gather(1, index)), 1)
