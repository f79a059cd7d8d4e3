"""Commands that build shards or change their clips: build-shard, retry, filter, clean, migrate."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

import click
from rich.table import Table

from vidal.cli import options
from vidal.cli.output import python_line, show, show_json

if TYPE_CHECKING:
    from vidal.dataset.api import Report
    from vidal.dataset.shard_report import ShardReport


@click.command("build-shard")
@click.argument("shards", metavar="N")
@options.recipe
@click.option("--out", required=True, help="The dataset: a folder or a URI.")
@click.option("--stage", "until", help="Stops after this stage and commits nothing.")
@click.option("--limit", type=click.IntRange(min=1), help="At most this many candidates.")
@options.overrides
@click.option(
    "--catalogue",
    type=click.Path(),
    help="Your own list of URLs instead of the recipe's sources: csv, tsv, json, jsonl, Parquet or txt; a file, a glob or a URI.",
)
@options.collection
@options.allow_hosts
@click.option("--keep-stale", is_flag=True, help="Keeps the results of earlier versions of the stages.")
@options.verbose
@options.log_json
@options.as_json
def build_shard(
    shards: str,
    recipe: str,
    out: str,
    until: str | None,
    limit: int | None,
    overrides: tuple[str, ...],
    catalogue: str | None,
    collection: str | None,
    allow_hosts: tuple[str, ...],
    keep_stale: bool,
    verbose: bool,
    log_json: bool,
    as_json: bool,
) -> None:
    """Builds one or more shards of a recipe into the dataset OUT. N: a number, a range or a list: 0, 0-9 or 0,3,7."""
    from vidal.config.loading import load_recipe
    from vidal.dataset import api
    from vidal.storage.storage import absolute_uri

    overrides = (*options.from_settings(collection), *overrides)
    if keep_stale:
        overrides = (*overrides, "engine.keep_stale=true")
    overrides = (*overrides, *options.log_settings(verbose, log_json))
    loaded = load_recipe(recipe, overrides, catalogue=catalogue and absolute_uri(catalogue), limit=limit)
    _end(api.build_shards(loaded, out, shards, allow_hosts=allow_hosts, until=until, watcher=_Watcher(out)), as_json)


@click.command()
@click.argument("out")
@click.option(
    "--class",
    "class_",
    default="transient",
    show_default=True,
    help="Which failures: transient, or a reason of the ledger.",
)
@options.overrides
@options.allow_hosts
@options.verbose
@options.log_json
@options.as_json
def retry(
    out: str,
    class_: str,
    overrides: tuple[str, ...],
    allow_hosts: tuple[str, ...],
    verbose: bool,
    log_json: bool,
    as_json: bool,
) -> None:
    """Tries failed candidates of OUT again, and adds those that succeed.

    Without --class, these are the candidates that failed for a transient reason, such as a timeout. With --class REASON, they are those
    that failed for this reason of the ledger.

    The candidates of a shard are tried with the recipe that is stored with the shard. --set changes keys of this recipe, such as
    crawl.cookies_file or decoding.cpu_s. If any candidate of the shard is tried again, the changes are stored for later retries.
    """
    from vidal.dataset import api

    overrides = (*overrides, *options.log_settings(verbose, log_json))
    _end(api.retry(out, class_, overrides, allow_hosts=allow_hosts, watcher=_Watcher(out)), as_json)


@click.command("filter")
@click.argument("out")
@options.overrides
@options.as_json
def filter_(out: str, overrides: tuple[str, ...], as_json: bool) -> None:
    """Decides again, from stored scores, which clips of OUT stay. Example: vidal filter OUT --set similarity_min=0.25."""
    from vidal.dataset import api

    decisions = api.refilter(out, overrides)
    for decision in decisions:
        show(f"shard {decision.shard}: {decision.before} clips before, {decision.after} now")
        if decision.waiting:
            bounds = "".join(f" --set filters.{each.removeprefix('filters.')}" for each in overrides)
            remedy = f"run vidal build-shard with the same bounds to make them{bounds and ':' + bounds}"
            show(f"  {decision.waiting} more clips pass, but have no views yet: {remedy}")
        if decision.deleted:
            remedy = f"run vidal retry {out} --class awaiting_media to fetch them"
            show(f"  {decision.deleted} more clips pass, but their media were deleted: {remedy}")
    if as_json:
        show_json([asdict(decision) for decision in decisions])


@click.command()
@click.argument("out")
@options.as_json
def clean(out: str, as_json: bool) -> None:
    """Deletes the media of dropped and failed clips in OUT, except clips that a later build needs. All ledger rows and scores stay."""
    from vidal.dataset.clean import clean as delete
    from vidal.storage.storage import absolute_uri

    done = delete(absolute_uri(out))
    if as_json:
        show_json(asdict(done))
    else:
        show(f"deleted the media of {done.clips} clips, {done.bytes / 1e6:.1f} MB")


@click.command()
@click.argument("out")
@options.as_json
def migrate(out: str, as_json: bool) -> None:
    """Rewrites the manifests of OUT from schema version 1 to the current columns. Media and stored work stay as they are."""
    from vidal.dataset.migrate import migrate as rewrite
    from vidal.storage.storage import absolute_uri

    done = rewrite(absolute_uri(out))
    if as_json:
        show_json(asdict(done))
    elif done.shards:
        show(f"{done.clips} clips in {done.shards} shards rewritten; next: vidal validate {out}")
    else:
        show("nothing to do: the dataset has the current columns")


def _end(report: Report, as_json: bool) -> None:
    if as_json:
        show_json([asdict(shard) for shard in report.shards])
    sys.exit(1 if report.is_faulty else 0)


class _Watcher:
    """Prints the messages of a build while it runs, and the report of each shard that has ended."""

    def __init__(self, out: str):
        self._out = out

    def say(self, line: str) -> None:
        show(line)

    def report(self, report: ShardReport) -> None:
        show_report(report, self._out)


def show_report(report: ShardReport, out: str) -> None:
    """Prints the result of a shard and, if the shard is committed, a shell command that prints the rows of the dataset `out`."""
    if report.done_before:
        show(f"shard {report.shard} was built before and is unchanged: {report.rows}")
    else:
        _show_counts(report)
    if report.cleaned_clips:
        show(f"deleted the media of {report.cleaned_clips} clips, {report.cleaned_bytes / 1e6:.1f} MB")
    if report.stale:
        show("kept from earlier versions: " + _joined(report.stale))
    if report.quarantined:
        show(
            f"{report.quarantined} records ended in an unexpected error (quarantined): the ledger has the tracebacks; "
            "the same command tries them again"
        )
    if report.failed_views:
        show(
            f"{report.failed_views} views failed for reasons that may pass: the ledger says why; the same command tries them again"
        )
    if report.is_empty and not report.reasons:
        show("no clip was kept: no candidate was found; docs/search_terms.md says which terms a recipe searches for")
    elif report.is_empty:
        show("no clip was kept: `vidal report` and the ledger say why")
    if not report.stage_only:
        show(python_line(f"import pandas as pd; print(pd.read_parquet({out!r}))"))


def _show_counts(report: ShardReport) -> None:
    table = Table("stage", "in", "kept", "dropped", "failed", title=f"shard {report.shard}, {report.seconds:.0f} s")
    for row in report.funnel:
        table.add_row(row["stage"], str(row["in"]), str(row["kept"]), str(row["dropped"]), str(row["failed"]))
    show(table)
    for label, counts in (
        ("ended", report.reasons),
        ("views", report.views),
        ("clips of evaluation sets", report.contaminated),
    ):
        if counts:
            show(f"{label}: {_joined(counts)}")


def _joined(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())
