"""Checkpoints: the state that a run needs to continue as if it had never stopped. A checkpoint that exists is complete."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import torch

from vidal.errors import UserError
from vidal.storage.atomic_file import written_aside

_NAME = re.compile(r"step-(\d{8})\.pt")


def save(folder: Path, step: int, state: Mapping[str, object], keep: int) -> Path:
    """Writes a checkpoint, removes all but the last `keep`, and returns its path."""
    path = folder / f"step-{step:08d}.pt"
    with written_aside(path) as aside:
        torch.save(state, aside)
    for old in _all(folder)[:-keep]:
        old.unlink()
    return path


def latest(folder: Path) -> Path | None:
    """Returns the checkpoint of the largest step, or None if the folder holds none."""
    checkpoints = _all(folder)
    return checkpoints[-1] if checkpoints else None


def load(path: Path, identity: dict[str, object]) -> dict[str, object]:
    """Loads a checkpoint.

    identity: of this run. Raises UserError that names the difference, for a checkpoint of a run with other settings, data or
    processes.
    """
    state = torch.load(path, map_location="cpu", weights_only=True)
    stored = state["identity"]
    differing = [key for key in identity if stored.get(key) != identity[key]]
    if differing:
        raise UserError(
            f"{path.parent.parent} holds a run with another {', '.join(differing)}: name another folder with --out, or remove this one"
        )
    result: dict[str, object] = state
    return result


def _all(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name))
