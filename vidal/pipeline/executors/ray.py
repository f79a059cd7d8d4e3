"""Runs stages as pools of Ray actors, in one pipeline for all parts. Only the ray modules here and the trainer's launcher import ray."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import ray

from vidal.config.recipe import Recipe
from vidal.models.threads import limit_threads
from vidal.net.rate_limiter import RateLimiter
from vidal.pipeline.executors import Run
from vidal.pipeline.executors.capacity import Node
from vidal.pipeline.executors.feed import Feed
from vidal.pipeline.executors.pools import PoolSpec, cpus_at_once, gpu_share, grouped_to_fit, pools
from vidal.pipeline.executors.ray_limiter import LimiterHold
from vidal.pipeline.executors.ray_metrics import RayMetrics
from vidal.pipeline.executors.ray_start import quiet, start
from vidal.pipeline.logs import LogRelay, forward_log, replay
from vidal.pipeline.process import process
from vidal.pipeline.runner import PartRunner
from vidal.pipeline.stage import Part, Runtime, Stage

_LOG_INTERVAL_S = 0.5
# How long a part that has just been found may wait before it is submitted, while the candidates of another shard are searched for.
_LOOK_AGAIN_S = 0.2


class RayExecutor:
    def __init__(self, recipe: Recipe):
        self._recipe = recipe
        self._hold: LimiterHold | None = None

    @contextlib.contextmanager
    def session(self, stages: Sequence[Stage] = ()) -> Iterator[None]:
        """Joins the cluster of RAY_ADDRESS or of a Ray job, or starts one on this machine that dies with this process."""
        started = not ray.is_initialized()
        if started:
            start(self._recipe.engine.object_store_mb, cpus_at_once(pools(list(stages), self._recipe)))
        try:
            yield
        finally:
            if self._hold:
                self._hold.end()
                self._hold = None
            if started:
                ray.shutdown()

    def rate_limiter(self) -> RateLimiter:
        if self._hold is None:
            self._hold = LimiterHold()
        return self._hold.limiter

    def run_once(self, function: Callable[..., Any], *args: Any) -> Any:
        """Runs the function in a process of its own, which ends when the function returns.

        The process requests no CPU from Ray, because the workers that wait for the result may hold all CPUs.
        """
        task = ray.remote(num_cpus=0, max_retries=3, max_calls=1)(function)
        with _causes():
            return ray.get(task.remote(*args))

    # Static, because a task may call it too, and a task cannot receive this executor, which cannot be pickled.
    @staticmethod
    def spread(function: Callable[[Any], Any], items: list[Any]) -> Iterator[Any]:
        """Runs a function over the items, in any order, and yields the results as they come.

        As many tasks run at a time as the cluster has CPUs, even if idle workers of a pipeline hold those CPUs.
        """

        def call(item: Any) -> Any:  # Ray accepts only functions, and no other callables.
            return function(item)

        task = ray.remote(num_cpus=0, max_retries=3, scheduling_strategy="SPREAD")(call)
        waiting, running = deque(items), list[Any]()
        while waiting or running:
            while waiting and len(running) < max(1, int(ray.cluster_resources().get("CPU", 1))):
                running.append(task.remote(waiting.popleft()))
            done, running = ray.wait(running)
            with _causes():
                result = ray.get(done[0])
            yield result

    def phases(self, stages: list[Stage]) -> list[list[Stage]]:
        specs = self._pools(stages)
        if self._recipe.engine.phases == "never":
            return [stages]
        groups = grouped_to_fit(specs, _nodes())
        return [[stage for spec in group for stage in spec.stages] for group in groups]

    def _pools(self, stages: list[Stage]) -> list[PoolSpec]:
        """Returns the pools of the stages, each with the number of GPUs that one of its workers requests."""
        specs = pools(stages, self._recipe)
        gpu_gb = _gpu_gb() if any(spec.resources.gpu_memory for spec in specs) else None
        return [replace(spec, gpus=gpu_share(spec.resources, gpu_gb, spec.name)) for spec in specs]

    @contextlib.contextmanager
    def pipeline(self, stages: list[Stage], runtime: Runtime) -> Iterator[Run]:
        specs = self._pools(stages)
        with _workers_log(self._recipe.engine.log_level) as relay:
            line = [_Pool(spec, self._recipe, runtime, relay) for spec in specs]
            try:
                yield _Flow(line, self._recipe.engine.parts_in_flight).run
            finally:
                for pool in line:
                    pool.close()


class _Worker:
    """A worker process of one pool."""

    def __init__(self, spec: PoolSpec, recipe: Recipe, runtime: Runtime, relay: Any):
        quiet()
        if recipe.engine.log_level:
            forward_log(recipe.engine.log_level, relay.send.remote)
        limit_threads(recipe.engine.threads)
        metrics = RayMetrics()
        shared = process(spec.parts_at_once(recipe), spec.gpus)
        self._runners = [PartRunner(stage, recipe, runtime, metrics, shared) for stage in spec.stages]

    def open(self) -> None:
        """Loads the models before the first part arrives. An error is ignored here; the first part raises it again."""
        for runner in self._runners:
            runner.warm()

    def run(self, part: Part) -> None:
        for runner in self._runners:
            runner.run(part)


@dataclass
class _Pool:
    """The workers of one pool, from the recipe's minimum number to its maximum, and the parts that wait for a worker.

    free: for each worker, how many more parts it may work on at the same time.
    starting: the workers beyond the minimum number that have not started yet. The key of a worker is the Ray reference that becomes
    ready when the worker has started. In a full cluster, a worker may never start, so the workers in `starting` get no parts.
    """

    spec: PoolSpec
    recipe: Recipe
    runtime: Runtime
    relay: Any  # An actor of LogRelay, or None.
    waiting: deque[Part] = field(default_factory=deque)
    free: dict[Any, int] = field(default_factory=dict)
    starting: dict[Any, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.parts_at_once = self.spec.parts_at_once(self.recipe)
        for _ in range(self.spec.resources.workers[0]):
            worker, _ = self._start_worker()
            self.free[worker] = self.parts_at_once

    def _start_worker(self) -> tuple[Any, Any]:
        """Requests a worker. Returns it, and the Ray reference that becomes ready when it has started and loaded its models."""
        resources = self.spec.resources
        memory = {"memory": int(resources.memory_gb * 2**30)} if resources.memory_gb else {}
        # A worker that dies is restarted and its part tried again. The crash journal prevents this from going on for ever.
        actor = ray.remote(max_restarts=-1, max_task_retries=-1)(_Worker).options(
            num_cpus=resources.cpus, num_gpus=self.spec.gpus, max_concurrency=self.parts_at_once, **memory
        )
        worker = actor.remote(self.spec, self.recipe, self.runtime, self.relay)
        # Not retried if it kills the process: the first part counts these deaths, and ends the run after too many.
        return worker, worker.open.options(max_task_retries=0).remote()

    def _grow(self) -> None:
        """Requests one more worker, up to the maximum, if parts wait, no worker is idle, and the cluster has room or grows on demand."""
        is_any_idle = any(room == self.parts_at_once for room in self.free.values())
        is_allowed = len(self.free) + len(self.starting) < self.spec.resources.workers[1]
        if is_allowed and not is_any_idle and len(self.starting) < len(self.waiting) and self._has_room():
            worker, started = self._start_worker()
            self.starting[started] = worker

    def _has_room(self) -> bool:
        """Returns whether the cluster has room for one more worker now, or grows on demand.

        A worker that is requested without room could later take the room of a worker that is being restarted.
        """
        if self.recipe.engine.phases == "never":
            return True
        available: dict[str, float] = ray.available_resources()
        return available.get("CPU", 0.0) >= self.spec.resources.cpus and available.get("GPU", 0.0) >= self.spec.gpus

    def admit(self, started: Any) -> bool:
        """Lets a worker take parts, now that it has started. Returns False if the worker belongs to another pool.

        started: the Ray reference that _start_worker returned for the worker.
        """
        worker = self.starting.pop(started, None)
        if worker is not None:
            self.free[worker] = self.parts_at_once
        return worker is not None

    def submit(self) -> Iterator[tuple[Any, Any, Part]]:
        """Hands each waiting part to the least busy worker, until all workers are full. Requests more workers if none is idle.

        Yields (reference, worker, part) for each part that has been handed over.
        """
        while self.waiting:
            self._grow()
            worker = max(self.free, key=self.free.__getitem__)
            if not self.free[worker]:
                return
            self.free[worker] -= 1
            part = self.waiting.popleft()
            yield worker.run.remote(part), worker, part

    def close(self) -> None:
        for worker in (*self.free, *self.starting.values()):
            ray.kill(worker)


@dataclass
class _Flow:
    """Moves parts through a line of pools, at most `limit` parts at a time.

    Without the limit, a fast crawl would store the media of many parts before the later stages could process them.
    """

    line: list[_Pool]
    limit: int
    running: dict[Any, tuple[int, Any, Part]] = field(default_factory=dict)

    def run(self, parts: Iterable[Part], finished: Callable[[Part], None] = lambda part: None) -> None:
        in_flight = 0
        with Feed(parts) as feed:
            while True:
                while in_flight < self.limit and (part := feed.take(may_wait=not in_flight)):
                    self.line[0].waiting.append(part)
                    in_flight += 1
                if not in_flight:
                    return
                self._submit()
                for part in self._advance(None if feed.is_empty or in_flight == self.limit else _LOOK_AGAIN_S):
                    in_flight -= 1
                    finished(part)

    def _submit(self) -> None:
        for index, pool in enumerate(self.line):
            for reference, worker, part in pool.submit():
                self.running[reference] = (index, worker, part)

    def _advance(self, timeout_s: float | None) -> Iterator[Part]:
        """Waits at most timeout_s for a part to leave a pool or for a worker to start; None waits without limit.

        Yields the parts that have left the last pool.
        """
        starting = [started for pool in self.line for started in pool.starting]
        done, _ = ray.wait([*self.running, *starting], num_returns=1, timeout=timeout_s)
        for reference in done:
            if any(pool.admit(reference) for pool in self.line):
                continue
            index, worker, part = self.running.pop(reference)
            with _causes():
                ray.get(reference)
            self.line[index].free[worker] += 1
            if index + 1 < len(self.line):
                self.line[index + 1].waiting.append(part)
            else:
                yield part


@contextlib.contextmanager
def _workers_log(level: str | None) -> Iterator[Any]:
    """Fetches the log records of the workers, if the recipe asks for them, and logs them in this process."""
    if level is None:
        yield None
        return
    relay = ray.remote(num_cpus=0)(LogRelay).remote()
    is_over = threading.Event()

    def fetch() -> None:
        for record in ray.get(relay.fetch.remote()):
            replay(record)

    def watch() -> None:
        while not is_over.wait(_LOG_INTERVAL_S):
            fetch()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield relay
    finally:
        is_over.set()
        thread.join()
        fetch()
        ray.kill(relay)


@contextlib.contextmanager
def _causes() -> Iterator[None]:
    """Ray wraps an exception of a worker. If the code under `with _causes()` raises such a wrapper, raises the original instead."""
    try:
        yield
    except ray.exceptions.RayTaskError as error:
        raise error.cause or error from error


def _nodes() -> list[Node]:
    resources = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    return [Node(each.get("CPU", 0.0), int(each.get("GPU", 0))) for each in resources]


def _gpu_gb() -> float | None:
    """Returns the memory of one GPU of the cluster in GB, or None without GPUs. All GPUs are assumed to be alike."""
    if not ray.cluster_resources().get("GPU"):
        return None
    return float(ray.get(ray.remote(num_gpus=0.001, num_cpus=0)(_own_gpu_gb).remote()))


def _own_gpu_gb() -> float:
    import torch

    return torch.cuda.get_device_properties(0).total_memory / 2**30
