"""Builds shards: terms, candidates, all stages at once, commit. What exists is not done again."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from vidal.config.recipe import Recipe
from vidal.dataset import commit as shards
from vidal.dataset import discover
from vidal.dataset.commit import Report
from vidal.errors import UserError
from vidal.pipeline.executors import Executor, executor_of
from vidal.pipeline.parts import is_done
from vidal.pipeline.stage import ModelUse, Part, Runtime, Stage
from vidal.pipeline.staleness import stale_stages
from vidal.stages.order import STAGES
from vidal.storage.storage import Storage

if TYPE_CHECKING:
    from vidal.pipeline.progress import Progress


def parse_shards(text: str, count: int) -> list[int]:
    """ "0", "0-9" or "0,3,7". Raises UserError for anything else, and for a shard that the recipe does not have."""
    found: list[int] = []
    for piece in text.split(","):
        first, dash, last = piece.partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise UserError(f"shard {text!r}: give a number, a range such as 0-9, or a list such as 0,3,7")
        found += range(int(first), int(last or first) + 1)
    for shard in found:
        if shard >= count:
            raise UserError(f"shard {shard} is out of range: there are {count}, the last is {count - 1}")
    if not found:
        raise UserError(f"shard {text!r}: the range is empty")
    return sorted(set(found))


def models(recipe: Recipe) -> dict[str, ModelUse]:
    """The models that the recipe chooses, by stage and role ("depth", "captions.keyframe"); a stage's others are left out."""
    uses = {f"{stage.name}.{use.role}".rstrip("."): use for stage in STAGES.values() for use in stage.models(recipe)}
    return {role: use for role, use in uses.items() if use.spec}


def check(recipe: Recipe) -> None:
    """Raises UserError for the first prompt or model that cannot be had here, before any work is done."""
    from vidal.models.compatibility import unfit
    from vidal.models.weights import missing

    for stage in STAGES.values():
        stage.identity(recipe)  # Reads the prompts.
    for role, use in models(recipe).items():
        spec = use.spec
        if spec and (why := missing(spec) or unfit(role, spec)):
            raise UserError(f"{role} model {spec.id or spec.adapter}: {why}")


def build(
    recipe: Recipe,
    out: str,
    shard: int,
    *,
    allow_hosts: tuple[str, ...] = (),
    until: str | None = None,
    progress: Callable[[Storage, int, list[Stage]], Progress] | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Report:
    """Builds one shard into a dataset that the recipe has claimed. Starts an executor only where there is work.

    until: the last stage to run; the shard is then not committed. say: is told, before work begins, what stored work is done
    again. Raises StorageError where the dataset cannot be read or written.
    """
    started = time.monotonic()
    storage = Storage(out)
    stages = list(STAGES.values())
    if shards.is_committed(storage, shard, stages, recipe) and until is None:
        return shards.committed_report(storage, shard)
    chosen = stages[: [stage.name for stage in stages].index(until) + 1] if until else stages
    parts = discover.parts(storage, recipe, shard)
    again = discover.is_asked_again(storage, shard)
    _say_stale(storage, chosen, recipe, shard, parts, say)
    if parts is None or again or not all(_all_done(chosen, recipe, storage, part) for part in parts):
        runtime = Runtime(out=out, shard=shard, run_id=uuid.uuid4().hex, allow_hosts=allow_hosts)
        parts = _run(recipe, runtime, storage, chosen, parts, progress)
    if until:
        _, funnel = shards.balance(storage, chosen, parts)
        return Report(shard, {}, funnel, {}, {}, 0, seconds=time.monotonic() - started, stage_only=until)
    return replace(shards.commit(storage, stages, recipe, parts), seconds=time.monotonic() - started)


def _say_stale(
    storage: Storage, stages: list[Stage], recipe: Recipe, shard: int, parts: list[Part] | None, say: Callable[[str], None]
) -> None:
    """What a changed version or setting costs, before it is paid."""
    if recipe.engine.keep_stale:
        return
    if parts is None:
        if discover.is_found(storage, shard):
            say(f"shard {shard}: its candidates are found anew: the search, its settings or its catalogue have changed")
        return
    stale = stale_stages(storage, stages, recipe, parts)
    for each in stale:
        say(f"shard {shard}: {each}")
    if any(each.is_by_version for each in stale):
        say("  --keep-stale keeps what earlier versions made")


def _run(
    recipe: Recipe,
    runtime: Runtime,
    storage: Storage,
    stages: list[Stage],
    parts: list[Part] | None,
    progress: Callable[[Storage, int, list[Stage]], Progress] | None,
) -> list[Part]:
    """Finds the candidates where that is still to do, and streams the parts that lack something through the stages."""
    executor = executor_of(recipe)
    with _endpoints(recipe, storage, stages, runtime, parts) as served, executor.session():
        served = replace(served, rate_limiter=executor.rate_limiter(), warm=_with_work(stages, recipe, storage, parts))
        with executor.pipeline(stages, served) as run:
            candidates = _candidates(recipe, served, storage, parts, executor)
            todo = [part for part in candidates if not _all_done(stages, recipe, storage, part)]
            with progress(storage, len(candidates), stages) if progress else contextlib.nullcontext():
                run(todo)
    return candidates


def _candidates(
    recipe: Recipe, runtime: Runtime, storage: Storage, parts: list[Part] | None, executor: Executor
) -> list[Part]:
    if parts is None:
        return executor.run_once(discover.discover, recipe, runtime, executor.spread)
    if discover.is_asked_again(storage, runtime.shard):
        return executor.run_once(discover.search_again, recipe, runtime)
    return parts


def _all_done(stages: list[Stage], recipe: Recipe, storage: Storage, part: Part) -> bool:
    """In order: a stage's key needs the tables of the stages before it."""
    return all(is_done(stage, recipe, storage, part) for stage in stages)


def _with_work(stages: list[Stage], recipe: Recipe, storage: Storage, parts: list[Part] | None) -> frozenset[str]:
    """Stages that some part has still to pass: the first that it lacks, and those that come after. All, of parts not yet known."""
    if parts is None:
        return frozenset(stage.name for stage in stages)
    names: set[str] = set()
    for part in parts:
        undone = (i for i, stage in enumerate(stages) if not is_done(stage, recipe, storage, part))
        names |= {stage.name for stage in stages[next(undone, len(stages)) :]}
    return frozenset(names)


@contextlib.contextmanager
def _endpoints(
    recipe: Recipe, storage: Storage, stages: list[Stage], runtime: Runtime, parts: list[Part] | None
) -> Iterator[Runtime]:
    """Serves the embedded site while it may be asked, where the recipe searches it."""
    if recipe.catalogue or not any(search.site == "embedded" for search in recipe.search):
        yield runtime
        return
    again = discover.is_asked_again(storage, runtime.shard)
    if parts is not None and not again and all(is_done(stages[0], recipe, storage, part) for part in parts):
        yield runtime
        return
    from vidal.sources.embedded.site import HOST, serve_embedded

    with serve_embedded() as url:
        yield replace(runtime, endpoints={"embedded": url}, allow_hosts=(*runtime.allow_hosts, HOST))
