"""AdamW with a learning rate per group of weights. The rates rise during a warm-up and then fall along a cosine."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import nn

from vidal.errors import UserError
from vidal.train.settings import Encoder, Train


def build(named: Iterable[tuple[str, nn.Parameter]], encoder: Encoder, train: Train) -> torch.optim.AdamW:
    """Returns the optimiser of all weights that are trained, in groups of the same learning rate and decay.

    named: the weights with their names. A key of encoder.lr_factors is the beginning of a name; for each weight, the longest matching
    key applies. Vectors and scalars (norms, biases, the temperature) have no weight decay. Raises UserError if a key matches no weight.
    """
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    unused = set(encoder.lr_factors)
    for name, weight in named:
        if not weight.requires_grad:
            continue
        fitting = [prefix for prefix in encoder.lr_factors if name.startswith(prefix)]
        unused -= set(fitting)
        factor = encoder.lr_factors[max(fitting, key=len)] if fitting else 1.0
        groups.setdefault((factor, train.weight_decay if weight.ndim > 1 else 0.0), []).append(weight)
    if unused:
        raise UserError(
            f"lr_factors: no trained weight has a name that begins with {', '.join(sorted(unused))}: correct these keys"
        )
    param_groups = [
        {"params": weights, "lr": encoder.lr * factor, "factor": factor, "weight_decay": decay}
        for (factor, decay), weights in groups.items()
    ]
    return torch.optim.AdamW(param_groups, betas=(train.beta1, train.beta2), eps=train.eps)


def rate(step: int, steps: int, encoder: Encoder) -> float:
    """Returns the learning rate of a step: it rises linearly during the warm-up, then falls along half a cosine to 0.

    step: counted from 0. steps: the number of steps of the whole training.
    """
    if step < encoder.warmup_steps:
        return encoder.lr * (step + 1) / encoder.warmup_steps
    progress = (step - encoder.warmup_steps) / max(1, steps - encoder.warmup_steps)
    return encoder.lr * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))


def set_rate(optimiser: torch.optim.Optimizer, lr: float) -> None:
    """Sets the learning rate of every group to its factor times `lr`."""
    for group in optimiser.param_groups:
        group["lr"] = lr * group["factor"]
