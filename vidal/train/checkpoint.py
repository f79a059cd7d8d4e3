"""Checkpoints: the state that a run needs to continue as if it had never stopped. A checkpoint that exists is complete."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TypedDict

import torch
from torch import Tensor

from vidal.errors import UserError
from vidal.storage.atomic_file import written_aside

_NAME = re.compile(r"step-(\d{8})\.pt")

# What must stay the same for a run to continue. An error names the keys that differ.
Identity = dict[str, str | int]


class TrainerState(TypedDict):
    """The state of the training of one modality. The states of optimisers and scalers have the form that torch gives them.

    best: the best R@1 on the split val, as the mean of both directions; None before the first measurement. misses: the number of
    measurements since the best one. measured_at: the step of the last measurement. stopped: whether the training was stopped early.
    """

    tower: dict[str, Tensor]
    temperature: dict[str, Tensor]
    optimiser: dict[str, object]
    scaler: dict[str, object]
    ema: dict[str, Tensor] | None
    step: int
    epoch: int
    best: float | None
    misses: int
    measured_at: int
    stopped: bool


class Place(TypedDict):
    """How far one process has read in the data of one modality.

    start: the processes divide the records of the epoch among themselves, from this position on.
    done: the positions after `start` that are left out of this division. Their records were consumed before the run was resumed.
    cursor: how many records of its share the process has consumed.
    unreadable: how many records the process could not read in the whole run.
    missed: how many records the process could not read in this epoch.

    `start` and `done` are the same in all processes.
    """

    cursor: int
    start: int
    done: list[int]
    unreadable: int
    missed: int


class RandomState(TypedDict, total=False):
    """The states of torch's random number generators. cuda: absent without a GPU."""

    cpu: Tensor
    cuda: Tensor


class ProcessState(TypedDict):
    """The state of one process. places: its position in the data of each modality, by the name of the modality."""

    random: RandomState
    places: dict[str, Place]


class RunState(TypedDict):
    """The content of a checkpoint. trainers: one state per modality, by its name. processes: one state per process, by rank."""

    identity: Identity
    trainers: dict[str, TrainerState]
    processes: list[ProcessState]


def save(folder: Path, step: int, state: RunState, keep: int) -> Path:
    """Writes a checkpoint and returns its path. Removes all but the last `keep` checkpoints."""
    path = folder / f"step-{step:08d}.pt"
    with written_aside(path) as aside:
        torch.save(state, aside)
    for old in _all(folder)[:-keep]:
        old.unlink()
    return path


def latest(folder: Path) -> Path | None:
    """Returns the path of the checkpoint of the largest step, or None if the folder holds none."""
    checkpoints = _all(folder)
    return checkpoints[-1] if checkpoints else None


def load(path: Path, identity: Identity) -> RunState:
    """Loads a checkpoint. identity: hashes of the settings and of the data of the run that loads it.

    Raises UserError if the checkpoint was written with other settings or other data.
    """
    state: RunState = torch.load(path, map_location="cpu", weights_only=True)
    stored = state["identity"]
    differing = [key for key in identity if stored.get(key) != identity[key]]
    if differing:
        raise UserError(
            f"{path.parent.parent} holds a run that differs from the new one in {', '.join(differing)}: "
            "name another folder with --out, or remove the old run"
        )
    return state


def _all(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name))
