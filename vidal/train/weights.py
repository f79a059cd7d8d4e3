"""Loads weights into a network. Every weight must fit; an error names those that do not."""

from __future__ import annotations

import torch
from torch import nn

from vidal.errors import UserError


def fill(tower: nn.Module, state: dict[str, torch.Tensor], where: str, prefix: str = "") -> None:
    """Loads weights into a tower. Raises UserError if weights are missing, unknown or of another shape.

    state: the weights by name. where: the file or folder, for errors. prefix: is put before the names of weights in errors.
    """
    check(tower, state, where, prefix)
    tower.load_state_dict(state)


def check(tower: nn.Module, state: dict[str, torch.Tensor], where: str, prefix: str = "") -> None:
    """Raises UserError if `state` lacks weights of the tower, or has unknown weights or weights of another shape.

    The error names up to three weights. where: the file or folder, for errors. prefix: is put before the names of weights in errors.
    """
    own = tower.state_dict()
    for problem, names in (
        ("missing weights", sorted(own.keys() - state.keys())),
        ("unknown weights", sorted(state.keys() - own.keys())),
        (
            "weights of another shape",
            sorted(name for name in own.keys() & state.keys() if own[name].shape != state[name].shape),
        ),
    ):
        if names:
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            raise UserError(
                f"{where} does not fit this tower ({problem}: {', '.join(prefix + name for name in names[:3])}{more}): "
                "use the complete original files"
            )
