"""The contrastive losses over the batches of all processes, and the learned temperature."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import torch
from open_clip.loss import ClipLoss, SigLipLoss
from torch import Tensor, nn
from torch.nn import functional as F

SCALE_MAX = 100.0
SIGLIP_BIAS = -10.0


class Temperature(nn.Module):
    """The learned scale of the logits, which is 1 / temperature and at most 100 (Radford et al. 2021). SigLIP also learns a bias.

    The trained parameter is the logarithm of the scale. start: the initial temperature. bias: the initial bias; None for no bias.
    """

    def __init__(self, start: float, bias: float | None = None):
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(math.log(1 / start)))
        self.bias = None if bias is None else nn.Parameter(torch.tensor(bias))

    def forward(self) -> Tensor:
        return self.log_scale.exp()

    @torch.no_grad()
    def cap_(self) -> None:
        """Limits the scale to SCALE_MAX. Must be called after each step of the optimiser."""
        self.log_scale.clamp_(max=math.log(SCALE_MAX))


Loss = Callable[[Tensor, Tensor, Temperature], Tensor]


def info_nce(x: Tensor, y: Tensor, scale: Tensor | float) -> Tensor:
    """Returns LanguageBind's loss (Zhu et al. 2024, eq. 1): the mean of the cross entropies of both directions.

    x, y: (n, d), L2-normalised; row i of x belongs to row i of y. scale: 1 / temperature.
    """
    logits = scale * x @ y.T
    targets = torch.arange(len(x), device=x.device)
    return (F.cross_entropy(logits, targets) + F.cross_entropy(logits.T, targets)) / 2


def build_loss(kind: Literal["info_nce", "siglip"], rank: int = 0, world: int = 1) -> Loss:
    """Returns a function of (features, texts, temperature) that computes the loss of one process.

    The loss of the whole batch is the mean of the losses of all processes. features and texts are (n, d) float32, L2-normalised, with
    the same n in all processes. world: how many processes there are. rank: which of them this is, from 0.

    info_nce compares the n samples of this process with the samples of all processes. Gradients flow to the samples of all processes
    (local_loss and gather_with_grad of open_clip). siglip passes the features from process to process (Zhai et al. 2023).
    """
    if kind == "siglip":
        pairwise = SigLipLoss(rank=rank, world_size=world)
        return lambda x, y, temperature: pairwise(x, y, temperature(), temperature.bias)
    if world == 1:
        return lambda x, y, temperature: info_nce(x, y, temperature())
    gathering = ClipLoss(local_loss=True, gather_with_grad=True, rank=rank, world_size=world)
    return lambda x, y, temperature: gathering(x, y, temperature())
