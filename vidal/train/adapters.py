"""Finds the low-rank adapters (Hu et al. 2022) of a checkpoint by the names that peft gives them, and merges them into the weights."""

from __future__ import annotations

import re

from torch import Tensor

from vidal.errors import UserError

_LORA = re.compile(r"(.+)\.lora_(A|B)(?:\.[^.]+)?\.weight")

State = dict[str, Tensor]


def plain_name(name: str) -> str:
    """Returns the name of a weight without the parts that peft adds to it ("base_model.model", "base_layer")."""
    return name.replace(".base_model.model.", ".").replace(".base_layer.", ".")


def split(state: State) -> tuple[State, dict[str, tuple[Tensor, Tensor]]]:
    """Separates weights from adapters. Returns (weights by name, adapters by the name of the module that they change).

    An adapter is a pair of matrices, (A, B). All names are without the parts that peft adds. Raises UserError if an adapter lacks a
    matrix, or if its module lacks the weight; the error names the module.
    """
    base, parts = State(), dict[str, State]()
    for name, value in state.items():
        if match := _LORA.fullmatch(name):
            parts.setdefault(plain_name(match[1]), {})[match[2]] = value
        else:
            base[plain_name(name)] = value
    for name, each in parts.items():
        if each.keys() != {"A", "B"} or f"{name}.weight" not in base:
            raise UserError(
                f"{name}: its weight, or one of the two parts of its adapter, is missing: use the complete checkpoint"
            )
    return base, {name: (each["A"], each["B"]) for name, each in parts.items()}


def merged(state: State, alpha: float) -> State:
    """Returns the weights with adapters merged: W + alpha / rank * B A, under the name of W.

    state: weights and adapters, as a checkpoint names them. alpha: the value with which the adapters were trained.
    Raises UserError if a part of an adapter, or the weight that it adapts, is missing; the error names the adapter.
    """
    base, parts = split(state)
    for name, (a, b) in parts.items():
        base[f"{name}.weight"] = base[f"{name}.weight"] + alpha / a.shape[0] * b @ a
    return base
