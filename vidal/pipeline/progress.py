"""Shows how many parts each stage has committed. A part is a batch of the candidates of a shard.

The numbers are read from storage, so that they are also correct after a restart.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, track
from rich.progress import Progress as Bars

from vidal.pipeline.stage import Stage
from vidal.storage import layout
from vidal.storage.storage import Storage

INTERVAL_S = 0.5
LINE_INTERVAL_S = 10.0
# For a dataset on an object store, where each look costs one request per stage.
STORE_INTERVAL_S = 60.0


def stage_progress(storage: Storage, shard: int, stages: list[Stage], parts: int) -> dict[str, int]:
    """Returns how many parts of each stage are in storage, by the name of the stage. parts: the number of parts of the shard."""
    gathered = storage.archives.stored_index(layout.gathered(shard)) or {}
    counts = {}
    for stage in stages:
        before = (name.removeprefix(f"{stage.name}/") for name in gathered if name.startswith(f"{stage.name}/"))
        names = {*before, *storage.loose_names(layout.stage_folder(stage.name, shard))}
        counts[stage.name] = min(parts, len(layout.part_tables(names)))
    return counts


class Progress:
    """Shows the progress of the shards that are being built: as bars on a terminal, as lines elsewhere.

    A line is printed every 10 seconds, or every 60 seconds if the dataset is on an object store.
    """

    def __init__(self, storage: Storage, stages: list[Stage]):
        self._storage, self._stages = storage, stages
        self._parts: dict[int, int] = {}
        self._ended: set[int] = set()
        self._stop = threading.Event()
        # Held while something is drawn or printed.
        self._drawing = threading.RLock()
        self._bars = _bars() if sys.stderr.isatty() else None
        interval_s = INTERVAL_S if self._bars else LINE_INTERVAL_S
        self._interval_s = interval_s if storage.is_local else STORE_INTERVAL_S
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Progress:
        if self._bars:
            for stage in self._stages:
                self._bars.add_task(stage.name, total=None)
            self._bars.start()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        if self._bars:
            self._draw(self._bars)
            self._bars.stop()

    def add(self, shard: int, parts: int) -> None:
        """Begins to show a shard, which has this number of parts."""
        self._parts[shard] = parts

    def end(self, shard: int) -> None:
        """Counts the shard as done from now on, without looking at its files."""
        self._ended.add(shard)

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """A context in which other text can be printed: the bars are stopped until it ends."""
        with self._drawing:
            if self._bars:
                self._bars.stop()
            yield
            if self._bars and not self._stop.is_set():
                self._bars.start()

    def _watch(self) -> None:
        while not self._stop.wait(self._interval_s):
            with self._drawing:
                if self._bars:
                    self._draw(self._bars)
                elif self._parts:
                    total, counts = sum(self._parts.values()), self._counts()
                    line = "  ".join(f"{name} {count}/{total}" for name, count in counts.items())
                    print("parts:", line, file=sys.stderr, flush=True)

    def _draw(self, bars: Bars) -> None:
        counts = self._counts()
        for task, stage in zip(bars.task_ids, self._stages, strict=True):
            bars.update(task, total=sum(self._parts.values()), completed=counts[stage.name])

    def _counts(self) -> dict[str, int]:
        """Returns how many parts of all shards each stage has committed."""
        counts = dict.fromkeys((stage.name for stage in self._stages), 0)
        for shard, parts in list(self._parts.items()):
            is_over = shard in self._ended
            done = (
                dict.fromkeys(counts, parts) if is_over else stage_progress(self._storage, shard, self._stages, parts)
            )
            counts = {name: count + done[name] for name, count in counts.items()}
        return counts


def _bars() -> Bars:
    columns = (TextColumn("{task.description:12}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    # What is printed to standard output stays there: it may be a pipe.
    return Bars(*columns, console=Console(stderr=True), redirect_stdout=False)


def tracked(spread: Callable[[Any, list[Any]], Iterator[Any]]) -> Callable[[Any, list[Any]], Iterator[Any]]:
    """Returns a version of `spread` that shows a progress bar if standard error is a terminal.

    spread: called with a function and a list of items, applies the function to each item. The bar shows the name of this function.
    """

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
