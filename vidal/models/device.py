"""Chooses the device that a model runs on."""

from __future__ import annotations

import sys


def choose_device(requested: str | None = None) -> str:
    """Returns the name of a device of torch, such as "cpu" or "cuda:1".

    requested: a name, which is returned unchanged; "auto" or None chooses the GPU if torch finds one, or else the CPU.

    If the device is a CUDA GPU, this also switches TF32 off for the convolutions of this process. With TF32, convolutions would round
    their float32 inputs to mantissas of 10 bits.
    """
    import torch

    device = ("cuda" if torch.cuda.is_available() else "cpu") if requested is None or requested == "auto" else requested
    if device.startswith("cuda"):
        torch.backends.cudnn.allow_tf32 = False
    return device


def is_out_of_memory(error: Exception) -> bool:
    """Returns whether an error says that the memory of a GPU is full. If so, this also frees unused memory that torch has reserved."""
    torch = sys.modules.get("torch")  # A process that has not imported torch cannot have an error of it.
    if torch is None or not isinstance(error, torch.OutOfMemoryError):
        return False
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return True
