"""Loads weights into a network, strictly: an error names the weights that do not fit."""

from __future__ import annotations

import torch
from torch import nn

from vidal.errors import UserError


def fill(tower: nn.Module, state: dict[str, torch.Tensor], where: str, prefix: str = "") -> None:
    """Loads the weights of a tower. Arguments and errors as in check."""
    check(tower, state, where, prefix)
    tower.load_state_dict(state)


def check(tower: nn.Module, state: dict[str, torch.Tensor], where: str, prefix: str = "") -> None:
    """Raises UserError that names weights that are missing, unknown or of another shape.

    where: names the file in errors. prefix: precedes the names of weights in errors.
    """
    own = tower.state_dict()
    for problem, names in (
        ("lacks", sorted(own.keys() - state.keys())),
        ("holds weights that this tower does not have:", sorted(state.keys() - own.keys())),
        (
            "has weights of another shape:",
            sorted(name for name in own.keys() & state.keys() if own[name].shape != state[name].shape),
        ),
    ):
        if names:
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            raise UserError(f"{where} {problem} {', '.join(prefix + name for name in names[:3])}{more}")
