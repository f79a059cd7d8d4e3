"""Runs everything in this process, one part after another: for debuggers, profilers and tests.

A record that kills its process kills the whole run, and models stay in memory until the run ends.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from vidal.config.recipe import Recipe
from vidal.models.threads import limit_threads
from vidal.net.rate_limiter import LocalRateLimiter, RateLimiter
from vidal.pipeline.executors import Run
from vidal.pipeline.runner import PartRunner
from vidal.pipeline.stage import Part, Runtime, Stage


class InlineExecutor:
    def __init__(self, recipe: Recipe):
        self._recipe = recipe

    @contextlib.contextmanager
    def session(self, stages: Sequence[Stage] = ()) -> Iterator[None]:
        limit_threads(self._recipe.engine.threads)
        yield

    def rate_limiter(self) -> RateLimiter:
        return LocalRateLimiter()

    def run_once(self, function: Callable[..., Any], *args: Any) -> Any:
        return function(*args)

    def spread(self, function: Callable[[Any], Any], items: list[Any]) -> Iterator[Any]:
        return map(function, items)

    def phases(self, stages: list[Stage]) -> list[list[Stage]]:
        return [stages]

    @contextlib.contextmanager
    def pipeline(self, stages: list[Stage], runtime: Runtime) -> Iterator[Run]:
        with contextlib.ExitStack() as stack:
            runners = [stack.enter_context(PartRunner(stage, self._recipe, runtime)) for stage in stages]

            def run(parts: Iterable[Part], finished: Callable[[Part], None] = lambda part: None) -> None:
                for part in parts:
                    for runner in runners:
                        runner.run(part)
                    finished(part)

            yield run
