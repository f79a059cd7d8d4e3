"""The build of a shard: find its candidates, run them through the stages, commit. Work that is already stored is not done again."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from vidal.config.recipe import Recipe
from vidal.dataset import commit, discover
from vidal.dataset.listing_split import split_listing, stored_split
from vidal.dataset.shard_report import ShardReport
from vidal.pipeline.executors import Executor, executor_of
from vidal.pipeline.parts import is_done
from vidal.pipeline.stage import Part, Runtime, Stage
from vidal.pipeline.staleness import stale_stages
from vidal.stages.order import STAGES
from vidal.storage.storage import Storage

if TYPE_CHECKING:
    from vidal.pipeline.progress import Progress

MakeProgress = Callable[[Storage, int, list[Stage]], "Progress"]  # Takes a dataset, a number of parts and the stages.


def build(
    recipe: Recipe,
    out: str,
    shard: int,
    *,
    allow_hosts: tuple[str, ...] = (),
    until: str | None = None,
    progress: MakeProgress | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> ShardReport:
    """Builds one shard into a dataset that the recipe has claimed. Starts an executor only if there is work.

    until: the last stage to run; the shard is then not committed. say: receives, before work begins, lines that say which
    stored work is done again. Raises StorageError if the dataset cannot be read or written.
    """
    started = time.monotonic()
    stages = list(STAGES.values())
    storage = Storage(out)
    if recipe.listing and stored_split(storage) is None:
        split_listing(recipe, storage)
    if until is None and commit.is_committed(storage, shard, stages, recipe):
        return commit.committed_report(storage, shard)
    selected = stages[: [stage.name for stage in stages].index(until) + 1] if until else stages
    runtime = Runtime(out=out, shard=shard, run_id=uuid.uuid4().hex, allow_hosts=allow_hosts)
    shard_build = ShardBuild(recipe, storage, runtime, selected)
    for line in shard_build.stale_lines():
        say(line)
    parts = shard_build.run(progress)
    if until:
        _, funnel = commit.balance(storage, selected, parts)
        return ShardReport(shard, funnel=funnel, seconds=time.monotonic() - started, stage_only=until)
    return replace(commit.commit(storage, stages, recipe, parts), seconds=time.monotonic() - started)


@dataclass(frozen=True)
class ShardBuild:
    """The work on one shard. stages: the stages to run, in order."""

    recipe: Recipe
    storage: Storage
    runtime: Runtime
    stages: list[Stage]

    def run(self, progress: MakeProgress | None) -> list[Part]:
        """Finds the candidates and runs the stages that still have work. Returns the parts of the shard."""
        parts = discover.parts(self.storage, self.recipe, self.runtime.shard)
        if parts is not None:
            discover.ask_quarantined_again(self.storage, self.runtime.shard)
        if parts is not None and not self._is_asked_again and all(map(self._is_done, parts)):
            return parts
        is_new = parts is None and not discover.is_found(self.storage, self.runtime.shard)
        executor = executor_of(self.recipe)
        with self._services(parts) as served, executor.session(self.stages):
            served = replace(
                served, rate_limiter=executor.rate_limiter(), warm=self._stages_with_work(parts), is_new=is_new
            )
            with executor.pipeline(self.stages, served) as run_through_stages:
                parts = self._find_candidates(served, parts, executor)
                unfinished = [part for part in parts if not self._is_done(part)]
                with progress(self.storage, len(parts), self.stages) if progress else contextlib.nullcontext():
                    run_through_stages(unfinished)
        return parts

    def stale_lines(self) -> Iterator[str]:
        """Yields lines that say which stored work a changed version or setting causes to be done again."""
        shard = self.runtime.shard
        if self.recipe.engine.keep_stale:
            return
        parts = discover.parts(self.storage, self.recipe, shard)
        if parts is None:
            if discover.is_found(self.storage, shard):
                yield f"shard {shard}: its candidates are found again: the search, its settings or its catalogue have changed"
            return
        stale = stale_stages(self.stages, self.recipe, parts, self.storage.metadata_if_present)
        for stage in stale:
            yield f"shard {shard}: {stage}"
        if any(stage.is_by_version for stage in stale):
            yield "  --keep-stale keeps the results of earlier versions"

    @property
    def _is_asked_again(self) -> bool:
        return discover.is_asked_again(self.storage, self.runtime.shard)

    def _is_done(self, part: Part) -> bool:
        """Returns whether every stage has finished the part. Stages are asked in order, because each needs the tables before it."""
        return all(is_done(stage, self.recipe, self.storage, part) for stage in self.stages)

    def _find_candidates(self, runtime: Runtime, parts: list[Part] | None, executor: Executor) -> list[Part]:
        """Finds the candidates, or repeats failed searches if `vidal retry` has asked for it. parts: None if none are stored."""
        if parts is None:
            parts = executor.run_once(discover.discover, self.recipe, runtime, executor.spread)
        elif self._is_asked_again:
            parts = executor.run_once(discover.search_again, self.recipe, runtime)
        return parts

    def _stages_with_work(self, parts: list[Part] | None) -> frozenset[str]:
        """Returns the first stage that some part lacks and all stages after it; every stage if the parts are not known yet."""
        if parts is None:
            return frozenset(stage.name for stage in self.stages)
        names: set[str] = set()
        for part in parts:
            undone = (i for i, stage in enumerate(self.stages) if not is_done(stage, self.recipe, self.storage, part))
            names |= {stage.name for stage in self.stages[next(undone, len(self.stages)) :]}
        return frozenset(names)

    @contextlib.contextmanager
    def _services(self, parts: list[Part] | None) -> Iterator[Runtime]:
        """Serves the embedded site, if the recipe searches it, for as long as something may ask for its pages."""
        crawl = self.stages[0]
        is_crawled = parts is not None and all(is_done(crawl, self.recipe, self.storage, part) for part in parts)
        searches_site = any(search.is_on_embedded_site for search in self.recipe.search)
        if self.recipe.listing or not searches_site or (is_crawled and not self._is_asked_again):
            yield self.runtime
            return
        from vidal.sources.embedded.site import HOST, serve_embedded

        with serve_embedded() as url:
            yield replace(self.runtime, endpoints={"embedded": url}, allow_hosts=(*self.runtime.allow_hosts, HOST))
