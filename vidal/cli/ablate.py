"""The command ablate: did a shard, a view or a filter help?"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click
from rich.table import Table

from vidal.cli import options
from vidal.cli.evaluate import progress_bar
from vidal.cli.output import show, show_json
from vidal.errors import UserError


@click.command()
@click.option("--data", required=True, help="The dataset: a folder or a URI.")
@click.option(
    "--recipe", default="embedded", show_default=True, help="The recipe whose train.views and train.text are used."
)
@options.overrides
@click.option("--shard", type=click.IntRange(min=0), help="Did this shard help?")
@click.option("--view", help="Did the texts of this view help?")
@click.option(
    "--filter",
    "thresholds",
    multiple=True,
    metavar="SCORE_MIN=VALUE",
    help="Would this filter help? Written as under filters: in a recipe.",
)
@click.option(
    "--seeds", type=click.IntRange(min=2), default=5, show_default=True, help="Trainings with, and as many without."
)
@options.as_json
def ablate(
    data: str,
    recipe: str,
    overrides: tuple[str, ...],
    shard: int | None,
    view: str | None,
    thresholds: tuple[str, ...],
    seeds: int,
    as_json: bool,
) -> None:
    """Trains a small fixed recipe with and without a shard, a view or a filter. Prints the difference in retrieval and its spread."""
    from vidal.config.loading import load_recipe
    from vidal.evaluate import ablation as comparing
    from vidal.storage.storage import Storage, absolute_uri

    if sum((shard is not None, view is not None, bool(thresholds))) != 1:
        raise UserError("give exactly one of --shard N, --view V, --filter SCORE_MIN=VALUE")
    change = comparing.Change(shard, view, _filter(thresholds) if thresholds else None)
    storage = Storage(absolute_uri(data))
    verdict = comparing.compare(storage, load_recipe(recipe, overrides).train, change, seeds, progress_bar)
    if as_json:
        show_json(asdict(verdict))
        return
    what = f"shard {shard}" if shard is not None else f"view {view}" if view else f"filter {', '.join(thresholds)}"
    _show(what, verdict)


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
        raise UserError(f"--filter: {error.errors()[0]['msg']}") from error
    except ValueError as error:
        raise UserError(
            f"--filter {' '.join(thresholds)}: must be a threshold and a number, such as similarity_min=0.25"
        ) from error
    return lambda row: decide(row, map_dict(row["scores"]), filters) is None


def _show(what: str, verdict: Any) -> None:
    table = Table(
        "", "with", "without", "change", "spread", title=f"{what}: {verdict.seeds} seeds, {verdict.steps} steps each"
    )
    for name, each in verdict.metrics.items():
        shares = (
            f"{each.with_it:.1%}",
            f"{each.without_it:.1%}",
            f"{100 * each.change:+.1f}",
            f"{100 * each.spread:.1f}",
        )
        table.add_row(name, *shares)
    show(table)
    show(
        f"learned from {verdict.clips_with} clips with it, {verdict.clips_without} without; judged by {verdict.held_out} others"
    )
