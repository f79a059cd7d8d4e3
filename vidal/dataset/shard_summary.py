"""The summary of a shard: the recipe and the versions of the code that built it, and counts of its results, in one file.

A commit removes the old summary, then writes the manifest, then the new summary. So a summary that exists describes its manifest.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TypedDict, cast

from vidal import __version__
from vidal.config.recipe import Recipe
from vidal.dataset.shard_report import ShardReport
from vidal.errors import UserError
from vidal.pipeline.stage import WorkIdentity
from vidal.records import FunnelRow
from vidal.schema import without_credentials
from vidal.storage import layout
from vidal.storage.storage import Storage


class ShardSummary(TypedDict):
    """The content of a summary file.

    rows: the number of clips of each kind.
    awaiting: the number of clips and views that the next run of the same build tries again.
    candidates: a hash of the candidates, and of the searches that are marked to be repeated.
    versions: the versions of the code with which the shard was built, such as those of its stages, by name.
    choices: a hash of the settings, weights and input files with which the shard was built.
    recipe: the recipe with all its keys.
    vidal: the version of vidal that committed the shard.

    The other keys are those of ShardReport.
    """

    shard: int
    rows: dict[str, int]
    funnel: list[FunnelRow]
    reasons: dict[str, int]
    views: dict[str, int]
    tokens: dict[str, int]
    contaminated: dict[str, int]
    stale: dict[str, int]
    quarantined: int
    awaiting: int
    candidates: str
    versions: dict[str, int]
    choices: str
    recipe: dict[str, object]
    vidal: str


def write_summary(
    storage: Storage, recipe: Recipe, made_by: WorkIdentity, candidates: str, awaiting: int, report: ShardReport
) -> None:
    summary: ShardSummary = {
        "shard": report.shard,
        "rows": report.rows,
        "funnel": report.funnel,
        "reasons": report.reasons,
        "views": report.views,
        "tokens": report.tokens,
        "contaminated": report.contaminated,
        "stale": report.stale,
        "quarantined": report.quarantined,
        "awaiting": awaiting,
        "candidates": candidates,
        "versions": made_by.versions,
        "choices": made_by.choices,
        "recipe": recipe.model_dump(mode="json"),
        "vidal": __version__,
    }
    text = json.dumps(summary, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    text = without_credentials(text)  # The recipe may contain those of proxies and model servers.
    storage.write(layout.summary(report.shard), text.encode(errors="replace"))


def read_summary(storage: Storage, shard: int) -> ShardSummary | None:
    """Returns the summary of a committed shard; None for a shard that is not committed."""
    content = storage.read_if_present(layout.summary(shard))
    return cast("ShardSummary", json.loads(content)) if content else None


def summaries(storage: Storage) -> Iterator[ShardSummary]:
    """Yields the summaries of all committed shards, in the order of their numbers."""
    for shard in layout.summaries_in(storage.names(layout.SUMMARIES)):
        if summary := read_summary(storage, shard):
            yield summary


def summaries_or_fail(storage: Storage) -> list[ShardSummary]:
    """Returns the summaries of all committed shards. Raises UserError if there are none."""
    each = list(summaries(storage))
    if not each:
        raise UserError(f"{storage.uri} has no committed shard yet: run vidal build-shard first")
    return each
