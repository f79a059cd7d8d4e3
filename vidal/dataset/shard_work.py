"""One shard of a build: which of its parts have work, and its commit when they are done."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from vidal.config.recipe import Recipe
from vidal.dataset import commit, discover
from vidal.dataset.shard_report import ShardReport
from vidal.pipeline.executors import Executor
from vidal.pipeline.parts import is_done
from vidal.pipeline.stage import Part, Runtime, Stage
from vidal.pipeline.staleness import stale_stages
from vidal.stages.order import STAGES
from vidal.storage.storage import Storage


@dataclass
class ShardWork:
    """The work on one shard. stages: the stages to run, in order. unfinished: the parts that have not left the last stage."""

    recipe: Recipe
    storage: Storage
    shard: int
    stages: list[Stage]
    unfinished: set[Part] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.parts = discover.parts(self.storage, self.recipe, self.shard)
        if self.parts is not None:
            discover.ask_quarantined_again(self.storage, self.shard)
        self._started = time.monotonic()

    @property
    def is_new(self) -> bool:
        """Whether no candidates are stored for the shard."""
        return self.parts is None and not discover.is_found(self.storage, self.shard)

    @property
    def is_asked_again(self) -> bool:
        """Whether failed searches of the shard are marked to be repeated, see discover.ask_again."""
        return discover.is_asked_again(self.storage, self.shard)

    @property
    def has_work(self) -> bool:
        return self.parts is None or self.is_asked_again or not all(map(self.is_done, self.parts))

    @property
    def needs_sources(self) -> bool:
        """Whether the shard may need requests to its sources: a search or a download."""
        crawl = self.stages[0]
        return (
            self.parts is None
            or self.is_asked_again
            or not all(is_done(crawl, self.recipe, self.storage, part) for part in self.parts)
        )

    def is_done(self, part: Part) -> bool:
        """Returns whether every stage has finished the part."""
        # In order, because the check of a stage reads tables of earlier stages, which must exist.
        return all(is_done(stage, self.recipe, self.storage, part) for stage in self.stages)

    def stages_with_work(self) -> frozenset[str]:
        """Returns the names of the stages that must run: for each part, the first unfinished stage and all after it.

        If the candidates are not found yet, all stages must run.
        """
        if self.parts is None:
            return frozenset(stage.name for stage in self.stages)
        names: set[str] = set()
        for part in self.parts:
            undone = (i for i, stage in enumerate(self.stages) if not is_done(stage, self.recipe, self.storage, part))
            names |= {stage.name for stage in self.stages[next(undone, len(self.stages)) :]}
        return frozenset(names)

    def find_parts(self, runtime: Runtime, executor: Executor) -> list[Part]:
        """Finds the candidates of the shard, and returns the parts that have work.

        Candidates that are stored are used again, if the settings on which they depend have not changed. Then only the failed searches
        that `vidal retry` marked are repeated.
        """
        self._started = time.monotonic()
        if self.parts is None:
            self.parts = executor.run_once(discover.discover, self.recipe, runtime, self.shard, executor.spread)
        elif self.is_asked_again:
            self.parts = executor.run_once(discover.search_again, self.recipe, runtime, self.shard)
        parts = [part for part in self.parts or [] if not self.is_done(part)]
        self.unfinished = set(parts)
        return parts

    def stale_lines(self) -> Iterator[str]:
        """Yields lines to print before the build. The lines say which stored work will be done again, and why.

        If engine.keep_stale is set, there are no lines.
        """
        if self.recipe.engine.keep_stale:
            return
        if self.parts is None:
            if not self.is_new:
                yield f"shard {self.shard}: its candidates are found again: the search, its settings or its catalogue have changed"
            return
        stale = stale_stages(self.stages, self.recipe, self.parts, self.storage.metadata_if_present)
        for stage in stale:
            yield f"shard {self.shard}: {stage}"
        if any(stage.is_by_version for stage in stale):
            yield "  --keep-stale keeps the results of earlier versions"

    def end(self, is_committed: bool) -> ShardReport:
        """Ends the shard and returns its report. is_committed: whether to commit it; False only checks that no record is lost.

        Raises BalanceError if a record is lost.
        """
        parts = self.parts or []
        if is_committed:
            report = commit.commit(self.storage, list(STAGES.values()), self.recipe, parts)
        else:
            _, funnel = commit.balance(self.storage, self.stages, parts)
            report = ShardReport(self.shard, funnel=funnel, stage_only=self.stages[-1].name)
        return replace(report, seconds=time.monotonic() - self._started)
