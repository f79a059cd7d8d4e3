"""The command `ablate`: measures whether a shard, a view or a filter helps, or which of two datasets is better."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click
from rich.table import Table

from vidal.cli import options
from vidal.cli.evaluate import progress_bar
from vidal.cli.output import show, show_json
from vidal.errors import UserError

if TYPE_CHECKING:
    from vidal.evaluate.ablation import Difference
    from vidal.train.settings import Train


@click.command()
@click.option("--data", required=True, help="The dataset: a folder or a URI.")
@click.option(
    "--recipe", default="embedded", show_default=True, help="The recipe whose train.views and train.text are used."
)
@options.overrides
@click.option("--shard", type=click.IntRange(min=0), help="Trains with this shard and without it.")
@click.option("--view", help="Trains with the texts of this view and without them.")
@click.option(
    "--filter",
    "thresholds",
    multiple=True,
    metavar="SCORE_MIN=VALUE",
    help="Trains with this filter and without it. It is written as under filters: in a recipe.",
)
@click.option("--against", metavar="DATA", help="Trains on --data and on this other dataset, with equally many clips.")
@click.option(
    "--judge",
    metavar="DATA",
    help="With --against: a third dataset, on whose clips both encoders are measured. Default: held-out clips of both.",
)
@click.option(
    "--seeds",
    type=click.IntRange(min=2),
    default=5,
    show_default=True,
    help="Number of trainings on each of the two sides.",
)
@options.as_json
def ablate(
    data: str,
    recipe: str,
    overrides: tuple[str, ...],
    shard: int | None,
    view: str | None,
    thresholds: tuple[str, ...],
    against: str | None,
    judge: str | None,
    seeds: int,
    as_json: bool,
) -> None:
    """Measures whether a shard, a view or a filter helps: trains one small encoder with it and one without it, and compares them.

    Each training is repeated with several random seeds. The table shows the mean of each metric, the change, and the standard deviation
    of the change ("spread"). With --against, two encoders are trained, each on one of two datasets, with equally many clips.
    """
    from vidal.config.loading import load_recipe
    from vidal.evaluate import ablation as comparing
    from vidal.storage.storage import Storage, absolute_uri

    if sum((shard is not None, view is not None, bool(thresholds), against is not None)) != 1:
        raise UserError("give exactly one of --shard N, --view V, --filter SCORE_MIN=VALUE, --against DATA")
    if judge is not None and against is None:
        raise UserError("--judge only works with --against DATA: add --against, or leave out --judge")
    if against is not None:
        _against(data, against, judge, load_recipe(recipe, overrides).train, seeds, as_json)
        return
    change = comparing.Change(shard, view, _filter(thresholds) if thresholds else None)
    storage = Storage(absolute_uri(data))
    verdict = comparing.compare(storage, load_recipe(recipe, overrides).train, change, seeds, progress_bar)
    if as_json:
        show_json(asdict(verdict))
        return
    what = f"shard {shard}" if shard is not None else f"view {view}" if view else f"filter {', '.join(thresholds)}"
    _show(what, verdict)


def _against(data: str, against: str, judge: str | None, settings: Train, seeds: int, as_json: bool) -> None:
    from vidal.evaluate.two_datasets import compare_datasets
    from vidal.storage.storage import Storage, absolute_uri

    first, second = (Storage(absolute_uri(each)) for each in (data, against))
    third = Storage(absolute_uri(judge)) if judge else None
    verdict = compare_datasets((first, second), third, settings, seeds, progress_bar)
    if as_json:
        show_json({**asdict(verdict), "better": verdict.better})
        return
    title = f"{verdict.clips} clips of each, {verdict.seeds} seeds, {verdict.steps} steps each"
    _show_metrics(("", data, against, "change", "spread"), verdict.metrics, title)
    better = {"first": data, "second": against}.get(verdict.better or "")
    show(
        f"judged by {verdict.judged_by} other clips: {f'{better} is better' if better else 'no difference beyond the spread'}"
    )


def _filter(thresholds: tuple[str, ...]) -> Any:
    """Returns a function that says whether a row of the manifest passes the thresholds."""
    from pydantic import ValidationError

    from vidal.schema import map_dict
    from vidal.stages.filter.settings import Filters
    from vidal.stages.filter.thresholds import decide

    try:
        pairs = dict(each.split("=", 1) for each in thresholds)
        filters = Filters.model_validate({name: float(value) for name, value in pairs.items()})
    except ValidationError as error:
        what = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise UserError(f"--filter {' '.join(thresholds)} is not valid: {what}") from error
    except ValueError as error:
        raise UserError(
            f"--filter {' '.join(thresholds)}: must be a threshold and a number, such as similarity_min=0.25"
        ) from error
    return lambda row: decide(row, map_dict(row["scores"]), filters) is None


def _show(what: str, verdict: Any) -> None:
    title = f"{what}: {verdict.seeds} seeds, {verdict.steps} steps each"
    _show_metrics(("", "with", "without", "change", "spread"), verdict.metrics, title)
    show(
        f"learned from {verdict.clips_with} clips with it, {verdict.clips_without} without; judged by {verdict.held_out} others"
    )


def _show_metrics(headings: tuple[str, ...], metrics: Mapping[str, Difference], title: str) -> None:
    table = Table(*headings, title=title)
    for name, each in metrics.items():
        shares = (
            f"{each.with_it:.1%}",
            f"{each.without_it:.1%}",
            f"{100 * each.change:+.1f}",
            f"{100 * each.spread:.1f}",
        )
        table.add_row(name, *shares)
    show(table)
