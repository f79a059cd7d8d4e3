"""Chooses the device that a model runs on."""

from __future__ import annotations

import sys


def choose_device(requested: str | None = None) -> str:
    """Returns the name of a device of torch, such as "cpu" or "cuda:1".

    requested: a name, which is returned unchanged; "auto" or None chooses the GPU if torch finds one, else the CPU.
    """
    import torch

    if requested not in (None, "auto"):
        return requested
    return "cuda" if torch.cuda.is_available() else "cpu"


def is_out_of_memory(error: Exception) -> bool:
    """Returns whether an error says that the memory of a GPU is full. If so, memory that torch keeps for later use is released."""
    torch = sys.modules.get("torch")  # A process that has not imported torch cannot have an error of it.
    if torch is None or not isinstance(error, torch.OutOfMemoryError):
        return False
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return True
