"""The functions that users and the command line call: build, retry, refilter, deduplicate."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from vidal.config.loading import load_recipe, with_filters, with_overrides
from vidal.config.recipe import Recipe, recipe_from
from vidal.dataset import build as building
from vidal.dataset import checks, commit, discover
from vidal.dataset import refilter as refiltering
from vidal.dataset import retry as retrying
from vidal.dataset.build import Watcher
from vidal.dataset.dataset_file import claim, read_dataset
from vidal.dataset.listing_split import split_listing, stored_split
from vidal.dataset.refilter import Decision
from vidal.dataset.shard_report import ShardReport
from vidal.dataset.shard_summary import summaries, summaries_or_fail
from vidal.dedup import across_shards, decontamination
from vidal.dedup.known_pairs import Spread
from vidal.errors import LockedError, UserError
from vidal.pipeline.executors import executor_of
from vidal.sources.listings import listing_of
from vidal.stages.order import STAGES
from vidal.storage.storage import Storage, absolute_uri

# How many shards of a dataset on an object store are checked at the same time.
_ASKED_AT_ONCE = 16


@dataclass(frozen=True)
class Report:
    """The result of a build, shard by shard."""

    shards: list[ShardReport]

    @property
    def is_faulty(self) -> bool:
        """Whether any shard is faulty. The command then exits with code 1.

        A shard is faulty if a record failed because of a bug, a view must be tried again, or no clip was kept.
        """
        return any(shard.is_faulty for shard in self.shards)

    @property
    def clips(self) -> int:
        return sum(sum(shard.rows.values()) for shard in self.shards)


def build(recipe: str | Recipe, out: str, shards: int | str | Iterable[int] = 0, **overrides: Any) -> Report:
    """Builds shards of a recipe into the dataset `out`, a folder or a URI. Work that is already stored is not done again.

    recipe: a name in pipelines/, the path of a YAML file, or a loaded Recipe. shards: a number, several numbers, or a text such as "0-9".
    overrides: keys of the recipe, as `--set` takes them: `build("embedded", "data", 0, limit=10, **{"engine.executor": "inline"})`.

    Raises UserError if the input is wrong, mostly before any work begins; StorageError if the dataset cannot be read or written.
    A candidate, clip or view that fails raises nothing: the ledger says why it failed. `Report.is_faulty` is True if one failed because
    of a bug, if a view must be tried again, or if a shard has no clips.
    """
    settings = tuple(f"{key}={json.dumps(value)}" for key, value in overrides.items())
    if isinstance(recipe, Recipe):
        if settings:
            raise UserError(
                "a loaded Recipe takes no overrides: pass them to load_recipe, or give build() the recipe's name instead"
            )
        loaded = recipe
    else:
        loaded = load_recipe(recipe, settings)
    text = str(shards) if isinstance(shards, (int, str)) else ",".join(map(str, shards))
    return build_shards(loaded, out, text)


def build_shards(
    recipe: Recipe,
    out: str,
    shards: str,
    *,
    allow_hosts: tuple[str, ...] = (),
    until: str | None = None,
    watcher: Watcher | None = None,
) -> Report:
    """Checks the input, creates the dataset `out` if it does not exist, and builds these shards in one pipeline.

    shards: such as "0", "0-9" or "0,3,7". allow_hosts: hosts that may be in a private or loopback range. until: the last stage to run;
    nothing is then committed. watcher: receives the progress; None shows none. Raises UserError if the input is wrong.
    """
    if until and until not in STAGES:
        raise UserError(f"there is no stage {until!r}: choose from {', '.join(STAGES)}")
    storage = Storage(absolute_uri(out))
    _check_input(recipe, storage)
    numbers = checks.parse_shards(shards, discover.shard_count(recipe, storage))
    decontamination.load_sets(recipe)
    done = {} if until else _committed(recipe, storage, numbers)
    if len(done) < len(numbers):
        checks.check(recipe)
    claim(storage, recipe)
    if recipe.listing:
        numbers = checks.parse_shards(
            shards, split_listing(recipe, storage, watcher.say if watcher else _ignore).shards
        )
    for report in done.values():
        if watcher:
            watcher.report(report)
    todo = [shard for shard in numbers if shard not in done]
    reports = building.build(recipe, storage, todo, allow_hosts=allow_hosts, until=until, watcher=watcher)
    if until is None:
        _mark_copies(storage, recipe)
    return Report(sorted([*done.values(), *reports], key=lambda report: report.shard))


def _check_input(recipe: Recipe, storage: Storage) -> None:
    """Checks that the recipe has searches or a listing (a catalogue or a collection).

    If the listing has not been split into shards yet, this function also checks that the listing exists. Raises UserError if a check
    fails.
    """
    if not recipe.listing:
        discover.check_searches(recipe)
    if recipe.listing and stored_split(storage) is None:
        listing_of(recipe).check()


def _ignore(line: str) -> None:
    """Discards a line of progress, for a build that nobody watches."""


def _committed(recipe: Recipe, storage: Storage, shards: list[int]) -> dict[int, ShardReport]:
    """Returns the reports of the shards that need no work, by shard. Many are checked at once, because an object store answers slowly."""
    stages = list(STAGES.values())

    def report_of(shard: int) -> ShardReport | None:
        is_done = commit.is_committed(storage, shard, stages, recipe)
        return commit.committed_report(storage, shard) if is_done else None

    with ThreadPoolExecutor(1 if storage.is_local else _ASKED_AT_ONCE) as threads:
        return {shard: report for shard, report in zip(shards, threads.map(report_of, shards), strict=True) if report}


def retry(
    out: str,
    class_: str = "transient",
    overrides: tuple[str, ...] = (),
    *,
    allow_hosts: tuple[str, ...] = (),
    watcher: Watcher | None = None,
) -> Report:
    """Tries failed candidates of a dataset again. Returns the reports of all shards.

    class_: which failures are tried again: "transient", or a reason of the ledger such as "http_404". overrides: changes to the recipe
    that is stored with the dataset, such as "engine.log_level=info". allow_hosts: hosts that may be in a private or loopback range.
    watcher: receives the progress; None shows none. Raises UserError if the input is wrong.
    """
    retrying.check_class(class_)
    storage = Storage(absolute_uri(out))
    read_dataset(storage)
    recipes = {
        summary["shard"]: with_overrides(recipe_from(summary["recipe"]), overrides)
        for summary in summaries_or_fail(storage)
    }
    for recipe in recipes.values():
        checks.check(recipe)
    for shard, recipe in recipes.items():
        count = retrying.move(storage, recipe, shard, class_)
        if watcher:
            watcher.say(f"shard {shard}: {count} candidates are tried again")
    reports = []
    for recipe, shards in _by_recipe(recipes):
        reports += building.build(recipe, storage, shards, allow_hosts=allow_hosts, watcher=watcher)
    _mark_copies(storage, recipe)
    return Report(sorted(reports, key=lambda report: report.shard))


def _by_recipe(recipes: dict[int, Recipe]) -> list[tuple[Recipe, list[int]]]:
    """Returns the different recipes of a dataset, each with the shards that it built."""
    grouped: list[tuple[Recipe, list[int]]] = []
    for shard, recipe in recipes.items():
        same = next((shards for other, shards in grouped if other == recipe), None)
        if same is None:
            grouped.append((recipe, [shard]))
        else:
            same.append(shard)
    return grouped


def refilter(out: str, overrides: tuple[str, ...]) -> list[Decision]:
    """Decides again, from stored scores, which clips of a dataset stay. overrides: thresholds, such as "similarity_min=0.25"."""
    storage = Storage(absolute_uri(out))
    read_dataset(storage)
    decisions = []
    for summary in summaries_or_fail(storage):
        recipe = with_filters(recipe_from(summary["recipe"]), overrides)
        decisions.append(refiltering.refilter(storage, recipe, summary["shard"]))
    _mark_copies(storage, recipe)
    return decisions


def deduplicate(out: str, say: Callable[[str], None] = _ignore) -> dict[int, int]:
    """Marks copies across the shards of a dataset, in the column `duplicate_of`. Returns the number of marked clips of each shard.

    Two shards that were compared before are not compared with each other again, unless one of them or the settings have changed.

    say: receives a line for each step. Raises UserError if another process is marking copies in the dataset.
    """
    storage = Storage(absolute_uri(out))
    read_dataset(storage)
    recipe = recipe_from(summaries_or_fail(storage)[-1]["recipe"])
    try:
        return _mark(storage, recipe, wait_s=0.0, say=say)
    except LockedError as error:
        raise UserError(
            f"{storage.uri}: another process is marking copies in this dataset: wait until it has ended, then try again"
        ) from error


def _mark_copies(storage: Storage, recipe: Recipe) -> None:
    """Marks copies across shards, unless the marks are up to date, or the dataset has more than duplicates.dataset_clips_max clips."""
    clips = sum(sum(summary["rows"].values()) for summary in summaries(storage))
    if clips <= recipe.duplicates.dataset_clips_max and not across_shards.is_marked(storage, recipe.duplicates):
        _mark(storage, recipe)


def _mark(storage: Storage, recipe: Recipe, **options: Any) -> dict[int, int]:
    executor = executor_of(recipe)

    @contextlib.contextmanager
    def workers() -> Iterator[Spread]:
        with executor.session():
            yield executor.spread

    return across_shards.mark_copies(storage, recipe.duplicates, workers, **options)
