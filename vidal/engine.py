"""Runs stages over the parts of a shard as one Ray Data pipeline of actor pools. The only module that imports ray."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import ray
from ray.data import ActorPoolStrategy, DataContext
from ray.data._internal.execution.backpressure_policy import (
    ENABLED_BACKPRESSURE_POLICIES,
    ENABLED_BACKPRESSURE_POLICIES_CONFIG_KEY,
)
from ray.data._internal.execution.backpressure_policy.backpressure_policy import BackpressurePolicy

from vidal.config import Recipe, Resources
from vidal.crawl.board import Answer, LocalBoard, Rules
from vidal.errors import UserError
from vidal.runner import PartRunner
from vidal.stage import Part, Runtime, Stage

PARTS_IN_FLIGHT = "vidal.parts_in_flight"


class PartsInFlight(BackpressurePolicy):
    """The first stage waits while that many parts are between it and the last.

    It bounds the media that lie about unfinished, and lets clips reach the manifest while the crawl goes on.
    """

    def can_add_input(self, op: Any) -> bool:
        limit = self._data_context.get_config(PARTS_IN_FLIGHT, None)
        pools = [each for each in self._topology if each.input_dependencies]
        if limit is None or not pools or op is not pools[0]:
            return True
        return op.metrics.num_tasks_submitted - pools[-1].metrics.num_tasks_finished < limit


class _Pool:
    """A worker process: one stage, or several light ones that share it."""

    def __init__(self, stages: list[Stage], recipe: Recipe, runtime: Runtime):
        _quiet()
        self.runners = [PartRunner(stage, recipe, runtime) for stage in stages]

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        for runner in self.runners:
            runner.run(Part(row["shard"], row["index"]))
        return row


@contextlib.contextmanager
def session(recipe: Recipe) -> Iterator[None]:
    """Joins the cluster of RAY_ADDRESS or of a Ray job, or starts one on this machine that dies with this process."""
    started = not ray.is_initialized()
    if started:
        options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.WARNING}
        if not os.environ.get("RAY_ADDRESS"):
            # "local": a head that someone runs on this machine is joined only where RAY_ADDRESS asks for it.
            store = recipe.engine.object_store_mb * 2**20
            options |= {"address": "local", "include_dashboard": False, "object_store_memory": store}
        # Ray Data keeps its actors' arguments alive itself; Ray warns about them at level ERROR on every start.
        os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
        _quiet()
        with _stderr_aside():
            ray.init(**options)
    try:
        yield
    finally:
        if started:
            ray.shutdown()


@contextlib.contextmanager
def _stderr_aside() -> Iterator[None]:
    """Holds back what Ray's native code prints at start-up; it is shown where the start fails."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as aside:
        os.dup2(aside.fileno(), 2)
        try:
            yield
        except BaseException:
            aside.seek(0)
            os.write(kept, aside.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def run_parts(
    stages: list[Stage], recipe: Recipe, runtime: Runtime, parts: list[Part], on_part: Callable[[], None] | None = None
) -> None:
    """Streams the parts through all stages at once. Returns when every part has left the last one."""
    if not parts:
        return
    _quiet()
    context = DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.set_config(PARTS_IN_FLIGHT, recipe.engine.parts_in_flight)
    context.set_config(ENABLED_BACKPRESSURE_POLICIES_CONFIG_KEY, [*ENABLED_BACKPRESSURE_POLICIES, PartsInFlight])
    rows = [{"shard": part.shard, "index": part.index} for part in parts]
    dataset = ray.data.from_items(rows, override_num_blocks=len(rows))
    gpu_gb = _gpu_gb() if any(resources.gpu_memory for _, resources in pools(stages, recipe)) else None
    for pool, resources in pools(stages, recipe):
        dataset = dataset.map(
            _Pool,
            fn_constructor_args=(pool, recipe, runtime),
            compute=ActorPoolStrategy(min_size=resources.workers[0], max_size=resources.workers[1]),
            num_cpus=resources.cpus,
            num_gpus=gpu_share(resources, gpu_gb) or None,
            memory=int(resources.memory_gb * 2**30) if resources.memory_gb else None,
        )
    for _ in dataset.iter_batches(batch_size=1, prefetch_batches=0):
        if on_part:
            on_part()


def run_once(function: Callable[..., Any], *args: Any) -> Any:
    """Runs a function on the cluster, once, and gives its result; what it raises is raised here. Its process ends with it."""
    task = ray.remote(num_cpus=0.25, max_retries=3, max_calls=1)(function)
    try:
        return ray.get(task.remote(*args))
    except ray.exceptions.RayTaskError as error:
        raise error.cause or error from error


class SharedBoard:
    """The board of the cluster: an actor with a name, which all jobs on it find. Calls are a LocalBoard's."""

    def __init__(self) -> None:
        actor = ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=3)(LocalBoard)
        self._actor = actor.options(
            name="crawl-board", namespace="vidal", get_if_exists=True, lifetime="detached"
        ).remote()

    def ask(self, host: str, lease: str, rules: Rules) -> Answer:
        return ray.get(self._actor.ask.remote(host, lease, rules))

    def renew(self, leases: list[tuple[str, str]], lease_s: float) -> None:
        self._actor.renew.remote(leases, lease_s)

    def release(self, host: str, lease: str) -> None:
        self._actor.release.remote(host, lease)

    def worked(self, host: str) -> None:
        self._actor.worked.remote(host)

    def failed(self, host: str, rules: Rules, pause_s: float | None) -> bool:
        return ray.get(self._actor.failed.remote(host, rules, pause_s))


def spread(function: Callable[[Any], Any], items: list[Any], cpus: float = 1.0) -> Iterator[Any]:
    """Runs a function over items on the cluster, a task each; gives the results as they come."""
    task = ray.remote(num_cpus=cpus, max_retries=3)(function)
    waiting = [task.remote(item) for item in items]
    while waiting:
        done, waiting = ray.wait(waiting)
        yield ray.get(done[0])


def pools(stages: list[Stage], recipe: Recipe) -> list[tuple[list[Stage], Resources]]:
    """Stages that the recipe fuses share the worker, and the resources, of the stage before."""
    grouped: list[tuple[list[Stage], Resources]] = []
    for stage in stages:
        resources = recipe.resources_of(stage.name)
        if resources.fuse and grouped:
            grouped[-1][0].append(stage)
        else:
            grouped.append(([stage], resources))
    return grouped


def gpu_share(resources: Resources, gpu_gb: float | None) -> float:
    """GPUs that a worker asks of Ray. gpu_gb: memory of one GPU; None where there is none, and then gpu_memory asks nothing.

    Raises UserError where no GPU has that much memory.
    """
    if resources.gpu_memory is None or gpu_gb is None:
        return resources.gpus
    if resources.gpu_memory > gpu_gb:
        raise UserError(f"resources: gpu_memory is {resources.gpu_memory:g} GB, but a GPU here has {gpu_gb:.1f} GB")
    return math.ceil(resources.gpu_memory / gpu_gb * 10_000) / 10_000  # Ray counts in ten-thousandths.


def _gpu_gb() -> float | None:
    """Memory of a GPU of the cluster in GB, or None. Its GPUs are taken to be alike: the first that is free is asked."""
    if not ray.cluster_resources().get("GPU"):
        return None
    return float(ray.get(ray.remote(num_gpus=0.001, num_cpus=0)(_own_gpu_gb).remote()))


def _own_gpu_gb() -> float:
    import torch

    return torch.cuda.get_device_properties(0).total_memory / 2**30


def _quiet() -> None:
    for name in ("ray.data", "ray"):
        logging.getLogger(name).setLevel(logging.ERROR)
