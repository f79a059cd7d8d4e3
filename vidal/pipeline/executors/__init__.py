"""Executors run the parts of shards. `ray` is the default; `inline` runs them in this process, one after another.

Both run the same parts through the same PartRunner, so they write the same bytes.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from vidal.config.recipe import Recipe
from vidal.net.rate_limiter import RateLimiter
from vidal.pipeline.stage import Part, Runtime, Stage

EXECUTORS = {
    "inline": "vidal.pipeline.executors.inline:InlineExecutor",
    "ray": "vidal.pipeline.executors.ray:RayExecutor",
}


class Run(Protocol):
    """Sends parts through the stages."""

    def __call__(self, parts: Iterable[Part], finished: Callable[[Part], None] = ...) -> None:
        """Processes the parts, and returns when all of them have passed the last stage.

        parts: read one by one, so a generator may search for later parts while earlier ones are processed.
        finished: called in this thread with each part that has passed the last stage.
        """


class Executor(Protocol):
    """Runs parts. Every method except `session` is called inside a session; sessions may be nested."""

    def session(self, stages: Sequence[Stage] = ()) -> AbstractContextManager[None]:
        """Starts the processes that the executor needs, and stops them at the end. stages: those that will run in the session."""

    def rate_limiter(self) -> RateLimiter:
        """Returns the rate limiter that all workers of this executor share."""

    def run_once(self, function: Callable[..., Any], *args: Any) -> Any:
        """Runs a function once, in this process or another, and returns its result. Raises what the function raises."""

    def spread(self, function: Callable[[Any], Any], items: list[Any]) -> Iterator[Any]:
        """Runs a function over the items, in any order, and yields the results as they come."""

    def phases(self, stages: list[Stage]) -> list[list[Stage]]:
        """Divides the stages into groups. The groups run one after another.

        If the cluster can hold all stages at once, there is only one group. Raises UserError if engine.phases is `auto` and the cluster
        is too small for a single stage.
        """

    def pipeline(self, stages: list[Stage], runtime: Runtime) -> AbstractContextManager[Run]:
        """Starts the workers of the stages, which load their models in the background. Yields a Run, which sends parts through them.

        The Run raises StorageError if a part cannot be read or written, UserError if a stage cannot be opened, StageError if opening a
        stage kills its process too often, and RunEndedError if the driver of the run is gone. It also raises any error of the iterable
        that yields the parts.
        """


def executor_of(recipe: Recipe) -> Executor:
    """Returns the executor that the recipe's engine.executor names. Only its file is imported, because importing ray takes seconds."""
    module, _, name = EXECUTORS[recipe.engine.executor].partition(":")
    executor: Executor = getattr(importlib.import_module(module), name)(recipe)
    return executor
