"""How the two checkpoints that ship with vidal are trained: their configuration, data and plan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from vidal.errors import UserError
from vidal.estimators import scenes, training_pairs
from vidal.estimators.fit import Plan
from vidal.estimators.training_pairs import TrainingPair
from vidal.models.checkpoint import Config

SCENES = 400


@dataclass(frozen=True)
class Task:
    """How one checkpoint is trained.

    sources: a function that reads the data folder. It returns one list of training pairs for each share in plan.shares.
    """

    config: Config
    plan: Plan
    sources: Callable[[Path], list[list[TrainingPair]]]


def _depth(data: Path) -> list[list[TrainingPair]]:
    photographs = scenes.read_photographs(data / "images")
    if not photographs:
        raise UserError(
            f"{data / 'images'}: no *.jpg files: add photographs, which are the textures of the rendered scenes"
        )
    return [training_pairs.rgbd(data, "train"), scenes.render_scenes(photographs, SCENES)]


def _infrared(data: Path) -> list[list[TrainingPair]]:
    real_pairs = training_pairs.rgb_ir(data, "train")
    night = [pair for pair in real_pairs if pair.name.startswith("llvip")]
    return [[pair for pair in real_pairs if pair not in night], night]


TASKS = {
    # Inverse depth up to scale and shift: the camera of a crawled video is unknown, so metres would be invented.
    "depth": Task(
        Config(task="depth", kind="inverse_relative", short_side=192, widths=(32, 48, 64, 96, 128), bounded=False),
        Plan(steps=1200, batch=8, sizes=((256, 192), (256, 192), (224, 224), (192, 256)), shares=(0.35, 0.65)),
        _depth,
    ),
    "infrared": Task(
        Config(task="infrared", short_side=256, widths=(32, 48, 64, 96), bounded=True),
        Plan(steps=1000, batch=8, sizes=((320, 192), (256, 192), (256, 256)), shares=(0.75, 0.25)),
        _infrared,
    ),
}
