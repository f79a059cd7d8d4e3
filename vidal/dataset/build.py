"""The build of shards as one pipeline: find the candidates of each shard, run them through the stages, and commit the shard.

The candidates of a shard are processed in parts, which are batches of fixed size. Work that is already stored is not done again. The
next shard begins while the last parts of a shard are processed. So no worker waits for a shard to end, and models stay loaded.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Protocol

from vidal.config.recipe import Recipe
from vidal.dataset.listing_split import split_listing, stored_split
from vidal.dataset.shard_report import ShardReport
from vidal.dataset.shard_work import ShardWork
from vidal.pipeline.executors import Executor, executor_of
from vidal.pipeline.progress import Progress
from vidal.pipeline.stage import Part, Runtime, Stage
from vidal.stages.order import STAGES
from vidal.storage.storage import Storage


class Watcher(Protocol):
    """Receives the progress of a build."""

    def say(self, line: str) -> None:
        """Receives a line of text to show, for example which stored work is done again."""

    def report(self, report: ShardReport) -> None:
        """Receives the report of a shard that has ended."""


def build(
    recipe: Recipe,
    storage: Storage,
    shards: list[int],
    *,
    allow_hosts: tuple[str, ...] = (),
    until: str | None = None,
    watcher: Watcher | None = None,
) -> list[ShardReport]:
    """Builds shards of a dataset, which must exist and belong to the recipe. Returns their reports, in the order of `shards`.

    allow_hosts: hosts that may be in a private or loopback range. until: the last stage to run. If it is given, the shards are not
    committed. watcher: receives the progress. Raises StorageError if the dataset cannot be read or written; shards that were complete
    by then are still committed.
    """
    stages = list(STAGES.values())
    if recipe.listing and stored_split(storage) is None:
        split_listing(recipe, storage)
    selected = stages[: [stage.name for stage in stages].index(until) + 1] if until else stages
    works = [ShardWork(recipe, storage, shard, selected) for shard in shards]
    if watcher:
        for line in (line for work in works for line in work.stale_lines()):
            watcher.say(line)
    runtime = Runtime(
        out=storage.uri,
        run_id=uuid.uuid4().hex,
        allow_hosts=allow_hosts,
        warm=frozenset[str]().union(*(work.stages_with_work() for work in works)),
        new_shards=frozenset(work.shard for work in works if work.is_new),
    )
    with _Ending(storage, selected, is_committed=until is None, watcher=watcher) as ending:
        busy = []
        for work in works:
            if work.has_work:
                busy.append(work)
            else:
                ending.end(work)
        if busy:
            _run(recipe, runtime, busy, ending)
    return [ending.reports[shard] for shard in shards]


def _run(recipe: Recipe, runtime: Runtime, works: list[ShardWork], ending: _Ending) -> None:
    """Runs the stages over the shards: all stages at once, or in phases if the cluster cannot hold all of them at once."""
    executor, stages = executor_of(recipe), works[0].stages
    with _services(recipe, runtime, works) as served, executor.session(stages), ending.progress:
        served = replace(served, rate_limiter=executor.rate_limiter())
        phases = executor.phases(stages)
        if len(phases) > 1:
            ending.say(_phases_line(phases))
        for phase in phases[:-1]:
            with executor.pipeline(phase, served) as run_through_stages:
                run_through_stages(part for _, parts in _found(works, served, executor, ending) for part in parts)
        with executor.pipeline(phases[-1], served) as run_through_stages:
            run_through_stages(_last_parts(works, served, executor, ending), finished=ending.part_done)


def _found(
    works: list[ShardWork], runtime: Runtime, executor: Executor, ending: _Ending
) -> Iterator[tuple[ShardWork, list[Part]]]:
    """Yields each shard with its unfinished parts. The candidates of a shard are found only when the shard is reached."""
    for work in works:
        parts = work.find_parts(runtime, executor)
        ending.begin(work)
        yield work, parts


def _last_parts(works: list[ShardWork], runtime: Runtime, executor: Executor, ending: _Ending) -> Iterator[Part]:
    for work, parts in _found(works, runtime, executor, ending):
        if not parts:
            ending.end(work)
        yield from parts


def _phases_line(phases: list[list[Stage]]) -> str:
    groups = "; ".join(", ".join(stage.name for stage in phase) for phase in phases)
    return f"the cluster cannot hold all stages at once: they run in {len(phases)} phases: {groups}"


@contextlib.contextmanager
def _services(recipe: Recipe, runtime: Runtime, works: list[ShardWork]) -> Iterator[Runtime]:
    """Serves the embedded example site during the build, if the recipe searches it and a shard still needs a search or a download.

    Yields the runtime, with the address of the site if it is served.
    """
    searches_site = any(search.is_on_embedded_site for search in recipe.search)
    if recipe.listing or not searches_site or not any(work.needs_sources for work in works):
        yield runtime
        return
    from vidal.sources.embedded.site import HOST, serve_embedded

    with serve_embedded() as url:
        yield replace(runtime, endpoints={"embedded": url}, allow_hosts=(*runtime.allow_hosts, HOST))


@dataclass
class _Ending:
    """Commits finished shards one at a time, in its own thread, while others are processed. Any thread may call its methods."""

    storage: Storage
    stages: list[Stage]
    is_committed: bool
    watcher: Watcher | None
    reports: dict[int, ShardReport] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._thread = ThreadPoolExecutor(1)
        self._works: dict[int, ShardWork] = {}
        self._commits: list[Future[None]] = []
        self._bars = Progress(self.storage, self.stages) if self.watcher else None

    @property
    def progress(self) -> contextlib.AbstractContextManager[object]:
        return self._bars or contextlib.nullcontext()

    def __enter__(self) -> _Ending:
        return self

    def __exit__(self, kind: object, value: object, trace: object) -> None:
        """Waits for the commits. Raises the first error of a commit, unless another error has ended the build."""
        self._thread.shutdown()
        for each in self._commits:
            if kind is None:
                each.result()

    def begin(self, work: ShardWork) -> None:
        self._works[work.shard] = work
        if self._bars:
            self._bars.add(work.shard, len(work.parts or []))

    def part_done(self, part: Part) -> None:
        """Notes that a part has left the last stage. Ends the shard if this was its last unfinished part."""
        work = self._works[part.shard]
        work.unfinished.discard(part)
        if not work.unfinished:
            self.end(work)

    def end(self, work: ShardWork) -> None:
        self._commits.append(self._thread.submit(self._end, work))

    def _end(self, work: ShardWork) -> None:
        report = work.end(self.is_committed)
        self.reports[work.shard] = report
        if self._bars:
            self._bars.end(work.shard)
        if self.watcher:
            watcher = self.watcher
            self._shown(lambda: watcher.report(report))

    def say(self, line: str) -> None:
        if self.watcher:
            watcher = self.watcher
            self._shown(lambda: watcher.say(line))

    def _shown(self, show: Callable[[], None]) -> None:
        with self._bars.paused() if self._bars else contextlib.nullcontext():
            show()
