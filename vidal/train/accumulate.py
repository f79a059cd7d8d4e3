"""Computes the gradient of one large batch in small chunks: features are cached, and each chunk is computed twice (Gao et al. 2021)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidal.train.loss import Loss, Temperature


def accumulated_backward(
    tower: nn.Module,
    chunks: list[Tensor],
    texts: Tensor,
    compute_loss: Loss,
    temperature: Temperature,
    scale: Callable[[Tensor], Tensor] = lambda loss: loss,
) -> Tensor:
    """Computes the loss of all chunks together, adds its gradients to the `grad` of the weights, and returns the loss.

    Only the activations of one chunk are in memory at a time. chunks: inputs of the tower, n samples in all. texts: (n, d),
    L2-normalised; row i holds the features of the text of sample i. scale: scales the loss before the backward pass, for mixed precision.
    The output of the tower for a sample must not depend on the other samples, so the tower must not have batch norms in training mode.
    """
    states, features = [], []
    for chunk in chunks:
        states.append(_random_state(chunk.device))
        with torch.no_grad():
            features.append(tower(chunk).float())
    cached = torch.cat(features).requires_grad_()
    with torch.autocast(cached.device.type, enabled=False):
        loss = compute_loss(F.normalize(cached, dim=-1), texts, temperature)
    scale(loss).backward()
    assert cached.grad is not None
    for chunk, state, gradient in zip(chunks, states, cached.grad.split([len(chunk) for chunk in chunks]), strict=True):
        _set_random_state(chunk.device, state)  # Dropout drops the same values as when the features were computed.
        (tower(chunk).float() * gradient).sum().backward()
    return loss.detach()


def _random_state(device: torch.device) -> tuple[Tensor, Tensor | None]:
    return torch.get_rng_state(), torch.cuda.get_rng_state(device) if device.type == "cuda" else None


def _set_random_state(device: torch.device, state: tuple[Tensor, Tensor | None]) -> None:
    torch.set_rng_state(state[0])
    if state[1] is not None:
        torch.cuda.set_rng_state(state[1], device)
