"""Checkpoints: what a run needs to continue as if it had never stopped. Written aside and renamed, so that one that exists is whole."""

from __future__ import annotations

import os
import re
import shutil
import uuid
from pathlib import Path
from typing import Any

import torch

from vidal.errors import UserError

_NAME = re.compile(r"step-(\d{8})\.pt")


def save(folder: Path, step: int, state: dict[str, Any], keep: int) -> Path:
    """Writes a checkpoint, and removes all but the last `keep`."""
    folder.mkdir(parents=True, exist_ok=True)
    path, aside = folder / f"step-{step:08d}.pt", folder / f".{uuid.uuid4().hex}.tmp"
    try:
        torch.save(state, aside)
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)
    for old in _all(folder)[:-keep]:
        old.unlink()
    return path


def latest(folder: Path) -> Path | None:
    checkpoints = _all(folder)
    return checkpoints[-1] if checkpoints else None


def load(path: Path, identity: dict[str, Any]) -> dict[str, Any]:
    """Loads the last checkpoint.

    Raises UserError, which names the difference, where it is of a run with other settings, data or processes.
    """
    state = torch.load(path, map_location="cpu", weights_only=True)
    theirs = state["identity"]
    differing = [key for key in identity if theirs.get(key) != identity[key]]
    if differing:
        raise UserError(
            f"{path.parent.parent} holds a run with another {', '.join(differing)}: give another --out, or remove that folder"
        )
    result: dict[str, Any] = state
    return result


def remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)


def _all(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name))
