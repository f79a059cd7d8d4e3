"""Progress per stage: the number of parts that each has committed, read from storage, so that it is also right after a restart."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn, track
from rich.progress import Progress as Bars

from vidal.pipeline.stage import Stage
from vidal.storage import layout
from vidal.storage.storage import Storage

INTERVAL_S = 0.5
LINE_INTERVAL_S = 10.0
# For a dataset on an object store, where each look costs one request per stage.
STORE_INTERVAL_S = 60.0


def stage_progress(storage: Storage, shard: int, stages: list[Stage], parts: int) -> dict[str, int]:
    """Returns how many parts of each stage are in storage."""
    gathered = storage.archives.stored_index(layout.gathered(shard)) or {}
    counts = {}
    for stage in stages:
        before = (name.removeprefix(f"{stage.name}/") for name in gathered if name.startswith(f"{stage.name}/"))
        names = {*before, *storage.loose_names(layout.stage_folder(stage.name, shard))}
        counts[stage.name] = min(parts, len(layout.part_tables(names)))
    return counts


class Progress:
    """Shows the progress of a shard: bars on a terminal, a line every few seconds elsewhere."""

    def __init__(self, storage: Storage, shard: int, parts: int, stages: list[Stage]):
        self._arguments = (storage, shard, stages, parts)
        self._parts, self._stages = parts, stages
        self._stop = threading.Event()
        self._live = sys.stderr.isatty()
        interval_s = INTERVAL_S if self._live else LINE_INTERVAL_S
        self._interval_s = interval_s if storage.is_local else STORE_INTERVAL_S
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Progress:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        if not self._live:
            while not self._stop.wait(self._interval_s):
                done = stage_progress(*self._arguments)
                print(
                    "parts:", "  ".join(f"{k} {v}/{self._parts}" for k, v in done.items()), file=sys.stderr, flush=True
                )
            return
        columns = (TextColumn("{task.description:12}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Bars(*columns, console=Console(stderr=True)) as bars:
            tasks = {stage.name: bars.add_task(stage.name, total=self._parts) for stage in self._stages}
            while not self._stop.wait(self._interval_s):
                self._draw(bars, tasks)
            self._draw(bars, tasks)

    def _draw(self, bars: Bars, tasks: dict[str, TaskID]) -> None:
        for name, count in stage_progress(*self._arguments).items():
            bars.update(tasks[name], completed=count)


def tracked(spread: Callable[[Any, list[Any]], Iterator[Any]]) -> Callable[[Any, list[Any]], Iterator[Any]]:
    """Returns a map with a progress bar that names the function and counts its items; silent without a terminal."""

    def run(function: Any, items: list[Any]) -> Iterator[Any]:
        console = Console(stderr=True)
        return iter(
            track(
                spread(function, items),
                function.__name__,
                len(items),
                console=console,
                disable=not console.is_terminal,
            )
        )

    return run
