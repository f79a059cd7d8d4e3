"""Low-rank adapters (Hu et al. 2022) in the weights of a checkpoint: peft's names for them, and merging them into what they adapt."""

from __future__ import annotations

import re

from torch import Tensor

from vidal.errors import UserError

_LORA = re.compile(r"(.+)\.lora_(A|B)(?:\.[^.]+)?\.weight")

State = dict[str, Tensor]


def plain_name(name: str) -> str:
    """Returns the name of a weight as if peft had wrapped nothing."""
    return name.replace(".base_model.model.", ".").replace(".base_layer.", ".")


def split(state: State) -> tuple[State, dict[str, tuple[Tensor, Tensor]]]:
    """Returns the weights without adapters, by their plain names, and the two parts A and B of each adapter, by what it adapts.

    Raises UserError that names an adapter which lacks a part, or what it adapts.
    """
    base, parts = State(), dict[str, State]()
    for name, value in state.items():
        if match := _LORA.fullmatch(name):
            parts.setdefault(plain_name(match[1]), {})[match[2]] = value
        else:
            base[plain_name(name)] = value
    for name, each in parts.items():
        if each.keys() != {"A", "B"} or f"{name}.weight" not in base:
            raise UserError(f"the adapter of {name} lacks one of its two parts, or the weight that it adapts")
    return base, {name: (each["A"], each["B"]) for name, each in parts.items()}


def merged(state: State, alpha: float) -> State:
    """Returns the weights with adapters merged: W + alpha / r * B A, under the name of W. Raises UserError as split does."""
    base, parts = split(state)
    for name, (a, b) in parts.items():
        base[f"{name}.weight"] = base[f"{name}.weight"] + alpha / a.shape[0] * b @ a
    return base
