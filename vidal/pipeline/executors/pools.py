"""Decides which stages share a worker process, and which resources a worker requests from the cluster."""

from __future__ import annotations

import math
from dataclasses import dataclass

from vidal.config.recipe import Recipe
from vidal.errors import UserError
from vidal.pipeline.executors.capacity import Node, Request, Room, describe
from vidal.pipeline.settings import Resources
from vidal.pipeline.stage import Stage


@dataclass(frozen=True)
class PoolSpec:
    """One stage, or several light stages that share a worker process. gpus: the number of GPUs that one worker requests."""

    stages: tuple[Stage, ...]
    resources: Resources
    gpus: float = 0.0

    @property
    def name(self) -> str:
        return self.stages[0].name

    @property
    def requests(self) -> list[Request]:
        """The CPUs and GPUs of the workers that the pool starts with, one request per worker.

        A pool starts with its minimum number of workers, and keeps these workers until it ends.
        """
        return [Request(self.resources.cpus, self.gpus)] * self.resources.workers[0]

    def parts_at_once(self, recipe: Recipe) -> int:
        """Returns how many parts (batches of records) a worker may process at once.

        Each stage has a limit of its own. The limit of the worker is the highest of these limits.
        """
        return max(stage.parts_at_once(recipe) for stage in self.stages)


def pools(stages: list[Stage], recipe: Recipe) -> list[PoolSpec]:
    """Groups the stages into pools. A stage that the recipe fuses shares the worker and the resources of the stage before it.

    Raises UserError if the recipe sets resources.<stage>.parts_at_once to another number than the stage uses.
    """
    grouped: list[PoolSpec] = []
    for stage in stages:
        resources = recipe.resources_of(stage.name)
        if resources.parts_at_once not in (None, stage.parts_at_once(recipe)):
            key = f"{stage.name}.parts_at_once"
            raise UserError(
                f"resources.{key}: this stage ignores the key and uses {stage.parts_at_once(recipe)}: remove the key"
            )
        if resources.fuse and grouped:
            grouped[-1] = PoolSpec((*grouped[-1].stages, stage), grouped[-1].resources)
        else:
            grouped.append(PoolSpec((stage,), resources))
    return grouped


def grouped_to_fit(specs: list[PoolSpec], nodes: list[Node]) -> list[list[PoolSpec]]:
    """Divides the pools into groups without changing their order. All workers of a group fit the cluster together.

    Raises UserError if the cluster is too small for the workers of one pool alone.
    """
    groups: list[list[PoolSpec]] = []
    room = Room([])
    for spec in specs:
        if not room.place(spec.requests):
            room = Room(nodes)
            groups.append([])
            if not room.place(spec.requests):
                raise UserError(_does_not_fit(spec, nodes))
        groups[-1].append(spec)
    return groups


def _does_not_fit(spec: PoolSpec, nodes: list[Node]) -> str:
    count = len(spec.requests)
    workers = (
        f"{count} workers with {spec.requests[0]} each do" if count > 1 else f"a worker with {spec.requests[0]} does"
    )
    return (
        f"resources.{spec.name}: {workers} not fit, because {describe(nodes)}: lower cpus, gpus or the number of workers; "
        "if the cluster grows on demand, set engine.phases=never"
    )


def cpus_at_once(specs: list[PoolSpec]) -> float:
    """Returns the number of CPUs that all pools need together, each with its minimum number of workers."""
    return sum(request.cpus for spec in specs for request in spec.requests)


def gpu_share(resources: Resources, gpu_gb: float | None, stage: str) -> float:
    """Returns the number of GPUs, or the fraction of one, that a worker requests from Ray.

    gpu_gb: memory of one GPU in GB; None if there is no GPU. stage: the name of the stage, for the message.
    Raises UserError if resources.gpu_memory is larger than gpu_gb.
    """
    if resources.gpu_memory is None or gpu_gb is None:
        return resources.gpus
    if resources.gpu_memory > gpu_gb:
        raise UserError(
            f"resources.{stage}.gpu_memory asks for {resources.gpu_memory:g} GB, but a GPU here has {gpu_gb:.1f} GB: lower it"
        )
    return math.ceil(resources.gpu_memory / gpu_gb * 10_000) / 10_000  # Ray counts in ten-thousandths.
