"""Small steps with the gradient of one large batch: features are cached and every chunk is run twice (Gao et al. 2021, GradCache)."""

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
    loss_of: Loss,
    temperature: Temperature,
    scale: Callable[[Tensor], Tensor] = lambda loss: loss,
) -> Tensor:
    """Adds the gradients of the loss over all chunks to the weights, and returns the loss. Memory holds one chunk's activations.

    texts: (n, d) for all chunks together. scale: of the loss, for mixed precision. A tower whose output depends on the rest of
    its batch (batch norm in training) is not one that this can be done with.
    """
    states, features = [], []
    for chunk in chunks:
        states.append(_random_state(chunk.device))
        with torch.no_grad():
            features.append(tower(chunk).float())
    cached = torch.cat(features).requires_grad_()
    with torch.autocast(cached.device.type, enabled=False):
        loss = loss_of(F.normalize(cached, dim=-1), texts, temperature)
    scale(loss).backward()
    assert cached.grad is not None
    for chunk, state, gradient in zip(chunks, states, cached.grad.split([len(each) for each in chunks]), strict=True):
        _set_random_state(chunk.device, state)  # Dropout leaves out the same as when the features were made.
        (tower(chunk).float() * gradient).sum().backward()
    return loss.detach()


def _random_state(device: torch.device) -> tuple[Tensor, Tensor | None]:
    return torch.get_rng_state(), torch.cuda.get_rng_state(device) if device.type == "cuda" else None


def _set_random_state(device: torch.device, state: tuple[Tensor, Tensor | None]) -> None:
    torch.set_rng_state(state[0])
    if state[1] is not None:
        torch.cuda.set_rng_state(state[1], device)
