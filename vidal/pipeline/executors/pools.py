"""Decides which stages share a worker process, and which resources a worker requests from the cluster."""

from __future__ import annotations

import math
from dataclasses import dataclass

from vidal.config.recipe import Recipe
from vidal.errors import UserError
from vidal.pipeline.settings import Resources
from vidal.pipeline.stage import Stage


@dataclass(frozen=True)
class PoolSpec:
    """One stage, or several light stages that share a worker process."""

    stages: tuple[Stage, ...]
    resources: Resources


def pools(stages: list[Stage], recipe: Recipe) -> list[PoolSpec]:
    """Groups the stages into pools. A stage that the recipe fuses shares the worker and the resources of the stage before it."""
    grouped: list[PoolSpec] = []
    for stage in stages:
        resources = recipe.resources_of(stage.name)
        if resources.fuse and grouped:
            grouped[-1] = PoolSpec((*grouped[-1].stages, stage), grouped[-1].resources)
        else:
            grouped.append(PoolSpec((stage,), resources))
    return grouped


def cpus_at_once(specs: list[PoolSpec]) -> float:
    """Returns the CPUs that the pools hold from beginning to end: those of their least numbers of workers."""
    return sum(spec.resources.cpus * spec.resources.workers[0] for spec in specs)


def gpu_share(resources: Resources, gpu_gb: float | None) -> float:
    """Returns the number of GPUs that a worker requests from Ray.

    gpu_gb: memory of one GPU in GB; None if there is no GPU, and gpu_memory is then ignored. Raises UserError if no GPU has
    that much memory.
    """
    if resources.gpu_memory is None or gpu_gb is None:
        return resources.gpus
    if resources.gpu_memory > gpu_gb:
        raise UserError(f"resources: gpu_memory is {resources.gpu_memory:g} GB, but a GPU here has {gpu_gb:.1f} GB")
    return math.ceil(resources.gpu_memory / gpu_gb * 10_000) / 10_000  # Ray counts in ten-thousandths.
