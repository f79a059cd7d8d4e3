"""Runs stages as pools of Ray actors, in one pipeline for all parts. Only this module and the launcher of the trainer import ray."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import ray

from vidal.config.recipe import Recipe
from vidal.models.threads import limit_threads
from vidal.net.identity_budgets import IdentityRules, Use
from vidal.net.rate_limiter import Admission, HostRules, LocalRateLimiter, RateLimiter
from vidal.pipeline.executors.pools import PoolSpec, cpus_at_once, gpu_share, pools
from vidal.pipeline.logs import LogRelay, forward_log, replay
from vidal.pipeline.runner import PartRunner
from vidal.pipeline.stage import Part, Runtime, Stage

_LOG_INTERVAL_S = 0.5


class RayExecutor:
    def __init__(self, recipe: Recipe):
        self._recipe = recipe

    @contextlib.contextmanager
    def session(self, stages: Sequence[Stage] = ()) -> Iterator[None]:
        """Joins the cluster of RAY_ADDRESS or of a Ray job, or starts one on this machine that dies with this process."""
        started = not ray.is_initialized()
        if started:
            _start(self._recipe.engine.object_store_mb, cpus_at_once(pools(list(stages), self._recipe)))
        try:
            yield
        finally:
            if started:
                ray.shutdown()

    def rate_limiter(self) -> RateLimiter:
        return SharedRateLimiter()

    def run_once(self, function: Callable[..., Any], *args: Any) -> Any:
        """Runs the function in a process of its own, which ends with it.

        It requests no CPU from Ray, because the workers that wait for its result may hold all of them.
        """
        task = ray.remote(num_cpus=0, max_retries=3, max_calls=1)(function)
        with _causes():
            return ray.get(task.remote(*args))

    def spread(self, function: Callable[[Any], Any], items: list[Any]) -> Iterator[Any]:
        """Runs as many tasks at a time as the cluster has CPUs, even if idle workers of a pipeline hold those CPUs."""
        task = ray.remote(num_cpus=0, max_retries=3, scheduling_strategy="SPREAD")(function)
        waiting, running = deque(items), list[Any]()
        while waiting or running:
            while waiting and len(running) < max(1, int(ray.cluster_resources().get("CPU", 1))):
                running.append(task.remote(waiting.popleft()))
            done, running = ray.wait(running)
            with _causes():
                result = ray.get(done[0])
            yield result

    @contextlib.contextmanager
    def pipeline(self, stages: list[Stage], runtime: Runtime) -> Iterator[Callable[[list[Part]], None]]:
        specs = pools(stages, self._recipe)
        gpu_gb = _gpu_gb() if any(spec.resources.gpu_memory for spec in specs) else None
        with _workers_log(self._recipe.engine.log_level) as relay:
            shares = [gpu_share(spec.resources, gpu_gb) for spec in specs]
            line = [_Pool(spec, self._recipe, runtime, share, relay) for spec, share in zip(specs, shares, strict=True)]
            try:
                yield _Flow(line, self._recipe.engine.parts_in_flight).run
            finally:
                for pool in line:
                    pool.close()


class _Worker:
    """A worker process of one pool."""

    def __init__(self, stages: tuple[Stage, ...], recipe: Recipe, runtime: Runtime, relay: Any):
        _quiet()
        if recipe.engine.log_level:
            forward_log(recipe.engine.log_level, relay.send.remote)
        limit_threads(recipe.engine.threads)
        self._runners = [PartRunner(stage, recipe, runtime) for stage in stages]

    def open(self) -> None:
        """Loads the models before the first part arrives. The part that needs them raises and records any error again."""
        for runner in self._runners:
            runner.warm()

    def run(self, part: Part) -> None:
        for runner in self._runners:
            runner.run(part)


@dataclass
class _Pool:
    """The workers of one pool, from the recipe's minimum to its maximum, and the parts that wait for a worker."""

    spec: PoolSpec
    recipe: Recipe
    runtime: Runtime
    gpus: float
    relay: Any  # An actor of LogRelay, or None.
    waiting: deque[Part] = field(default_factory=deque)
    idle: list[Any] = field(default_factory=list)
    workers: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        for _ in range(self.spec.resources.workers[0]):
            self._add_worker()

    def _add_worker(self) -> None:
        resources = self.spec.resources
        memory = {"memory": int(resources.memory_gb * 2**30)} if resources.memory_gb else {}
        # A worker that dies is restarted and its part tried again. The crash journal prevents this from going on for ever.
        actor = ray.remote(max_restarts=-1, max_task_retries=-1)(_Worker).options(
            num_cpus=resources.cpus, num_gpus=self.gpus, **memory
        )
        worker = actor.remote(self.spec.stages, self.recipe, self.runtime, self.relay)
        # Not retried if it kills the process: the first part counts these deaths, and ends the run after too many.
        worker.open.options(max_task_retries=0).remote()
        self.workers.append(worker)
        self.idle.append(worker)

    def submit(self) -> Iterator[tuple[Any, Any, Part]]:
        """Hands waiting parts to idle workers. Yields (reference, worker, part) for each."""
        while self.waiting:
            if not self.idle and len(self.workers) < self.spec.resources.workers[1]:
                self._add_worker()
            if not self.idle:
                return
            worker, part = self.idle.pop(), self.waiting.popleft()
            yield worker.run.remote(part), worker, part

    def close(self) -> None:
        for worker in self.workers:
            ray.kill(worker)


@dataclass
class _Flow:
    """Moves parts through a line of pools, at most `limit` parts at a time.

    The limit bounds the media of unfinished parts, and lets clips reach the manifest while the crawl continues.
    """

    line: list[_Pool]
    limit: int
    running: dict[Any, tuple[int, Any, Part]] = field(default_factory=dict)

    def run(self, parts: list[Part]) -> None:
        todo, in_flight = deque(parts), 0
        while todo or in_flight:
            while todo and in_flight < self.limit:
                self.line[0].waiting.append(todo.popleft())
                in_flight += 1
            self._submit()
            in_flight -= self._advance()

    def _submit(self) -> None:
        for index, pool in enumerate(self.line):
            for reference, worker, part in pool.submit():
                self.running[reference] = (index, worker, part)

    def _advance(self) -> int:
        """Waits for a part to leave a pool. Returns how many parts have left the last pool."""
        done, _ = ray.wait(list(self.running), num_returns=1)
        finished = 0
        for reference in done:
            index, worker, part = self.running.pop(reference)
            with _causes():
                ray.get(reference)
            self.line[index].idle.append(worker)
            if index + 1 < len(self.line):
                self.line[index + 1].waiting.append(part)
            else:
                finished += 1
        return finished


class SharedRateLimiter:
    """The rate limiter of the cluster: a LocalRateLimiter inside a named actor, which all jobs of the cluster can find."""

    def __init__(self) -> None:
        actor = ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=3)(LocalRateLimiter)
        self._actor = actor.options(
            name="crawl-rate-limiter", namespace="vidal", get_if_exists=True, lifetime="detached"
        ).remote()

    def request_slot(self, host: str, lease: str, rules: HostRules) -> Admission:
        admission: Admission = ray.get(self._actor.request_slot.remote(host, lease, rules))
        return admission

    def renew_leases(self, leases: list[tuple[str, str]], lease_s: float) -> None:
        self._actor.renew_leases.remote(leases, lease_s)

    def release_slot(self, host: str, lease: str) -> None:
        self._actor.release_slot.remote(host, lease)

    def record_success(self, host: str) -> None:
        self._actor.record_success.remote(host)

    def record_failure(self, host: str, rules: HostRules, pause_s: float | None) -> bool:
        is_worth_waiting: bool = ray.get(self._actor.record_failure.remote(host, rules, pause_s))
        return is_worth_waiting

    def use_identity(self, rules: IdentityRules, use: Use) -> float:
        wait_s: float = ray.get(self._actor.use_identity.remote(rules, use))
        return wait_s

    def identity_wait_s(self, rules: IdentityRules) -> float:
        wait_s: float = ray.get(self._actor.identity_wait_s.remote(rules))
        return wait_s

    def pause_identity(self, rules: IdentityRules, pause_s: float) -> None:
        ray.get(self._actor.pause_identity.remote(rules, pause_s))


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


def _start(object_store_mb: int, cpus: float) -> None:
    """Starts Ray. cpus: what the pipeline holds at once.

    Ray hands out CPUs as numbers only. On this machine, it gets as many as the pipeline needs, because a pool that waits for a CPU that
    never becomes free would wait for ever. A cluster of several nodes may still grow, so the user is told.
    """
    options: dict[str, object] = {"log_to_driver": False, "logging_level": logging.WARNING}
    if not os.environ.get("RAY_ADDRESS"):
        # "local": a cluster that someone else runs on this machine is joined only if RAY_ADDRESS asks for it.
        options |= {"address": "local", "include_dashboard": False, "object_store_memory": object_store_mb * 2**20}
        # Ray's default is 15: beside two busy processes, such a build hardly begins.
        os.environ.setdefault("RAY_worker_niceness", "0")
    # Ray itself keeps the arguments of its actors alive, and warns about them at level ERROR on every start.
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    _quiet()
    with _stderr_aside():
        ray.init(**options)
        present = ray.cluster_resources().get("CPU", 0.0)
        if present < cpus and options.get("address") == "local":
            ray.shutdown()
            ray.init(**options, num_cpus=math.ceil(cpus))
            return
    if present < cpus:
        line = f"vidal: the stages hold {cpus:g} CPUs at once, and the cluster has {present:g}: the build waits until it has more"
        print(f"{line}; lower resources.STAGE.cpus, or fuse light stages", file=sys.stderr, flush=True)


@contextlib.contextmanager
def _stderr_aside() -> Iterator[None]:
    """Captures the output of Ray's native code at start-up, and shows it only if the start fails."""
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


@contextlib.contextmanager
def _causes() -> Iterator[None]:
    """Raises the original exception of a worker, without the wrapper that Ray puts around it."""
    try:
        yield
    except ray.exceptions.RayTaskError as error:
        raise error.cause or error from error


def _gpu_gb() -> float | None:
    """Returns the memory of one GPU of the cluster in GB, or None without GPUs. All GPUs are assumed to be alike."""
    if not ray.cluster_resources().get("GPU"):
        return None
    return float(ray.get(ray.remote(num_gpus=0.001, num_cpus=0)(_own_gpu_gb).remote()))


def _own_gpu_gb() -> float:
    import torch

    return torch.cuda.get_device_properties(0).total_memory / 2**30


def _quiet() -> None:
    logging.getLogger("ray").setLevel(logging.ERROR)
