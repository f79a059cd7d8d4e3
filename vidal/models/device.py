"""Chooses the device that a model runs on."""

from __future__ import annotations


def choose_device(requested: str | None = None) -> str:
    """Returns the name of a device of torch, such as "cpu" or "cuda:1".

    requested: a name, which is returned unchanged; "auto" or None chooses the GPU if torch finds one, else the CPU.
    """
    import torch

    if requested not in (None, "auto"):
        return requested
    return "cuda" if torch.cuda.is_available() else "cpu"
