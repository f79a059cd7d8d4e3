"""The command `plan`: what a recipe would do on this machine and, if asked, what a given number of clips would cost."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click
from rich.table import Table

from vidal.cli import options
from vidal.cli.output import show, show_json

if TYPE_CHECKING:
    from vidal.config.recipe import Recipe
    from vidal.dataset.estimate import Estimate
    from vidal.dataset.plan import Line


@click.command()
@options.recipe
@options.overrides
@options.collection
@click.option("--clips", help="Estimates the cost of this many clips: 5000, 300k, 10M, 1B.")
@click.option(
    "--cluster",
    default="nodes=1,cpus=2",
    show_default=True,
    help="With --clips: machines, such as nodes=4,cpus=16,gpus=1.",
)
@click.option(
    "--measured-from",
    "measured_from",
    help="With --clips: a built dataset whose costs are scaled, instead of those of a packaged example.",
)
@options.as_json
def plan(
    recipe: str,
    overrides: tuple[str, ...],
    collection: str | None,
    clips: str | None,
    cluster: str,
    measured_from: str | None,
    as_json: bool,
) -> None:
    """Prints the stages, models and resources of a recipe.

    Says which models cannot be loaded on this machine, and why. With --clips, estimates the cost of that many clips.
    """
    from vidal.config.loading import load_recipe
    from vidal.dataset.plan import describe_identities, describe_javascript, describe_listing, describe_robots
    from vidal.dataset.plan import plan as plan_of

    loaded = load_recipe(recipe, (*options.from_settings(collection), *overrides))
    lines = plan_of(loaded)
    remarks = {
        "listing": describe_listing(loaded),
        "robots": describe_robots(loaded),
        "identities": describe_identities(loaded),
        "javascript": describe_javascript(loaded),
    }
    costs = _estimate(loaded, clips, cluster, measured_from) if clips else None
    if as_json:
        summary = {"recipe": loaded.name, **remarks, "stages": [asdict(line) for line in lines]}
        show_json({**summary, "estimate": costs and asdict(costs)})
        return
    _show_plan(loaded, lines, remarks)
    if costs:
        _show_estimate(costs)


def _show_plan(recipe: Recipe, lines: list[Line], remarks: dict[str, str | None]) -> None:
    columns = ("stage", "pool", "cpus", "gpus", "workers", "model", "here")
    table = Table(*columns, title=f"{recipe.name}: {recipe.description}")
    for line in lines:
        here = line.absent or ("ready" if line.model not in ("", "none") else "")
        workers = "-".join(str(count) for count in dict.fromkeys(line.workers))
        table.add_row(line.stage, str(line.pool), f"{line.cpus:g}", f"{line.gpus:g}", workers, line.model, here)
    show(table)
    for remark in remarks.values():
        if remark:
            show(remark)


def _estimate(recipe: Recipe, clips: str, cluster: str, measured_from: str | None) -> Estimate:
    from vidal.dataset.estimate import estimate, parse_clips, parse_cluster
    from vidal.dataset.measured import measure, packaged
    from vidal.storage.storage import absolute_uri

    measured = measure(absolute_uri(measured_from)) if measured_from else packaged()
    return estimate(recipe, parse_clips(clips), measured, parse_cluster(cluster))


def _show_estimate(costs: Estimate) -> None:
    show(f"{costs.clips:,} clips, scaled from {costs.where}")
    table = Table("stage", "records", "CPU hours", "GPU hours", "")
    for stage in costs.stages:
        hours = "" if stage.cpu_hours is None else f"{stage.cpu_hours:,.2f}"
        held = f"{stage.gpu_hours:,.2f}" if stage.gpu_hours else ""
        table.add_row(stage.stage, f"{stage.records:,}", hours, held, stage.why_not)
    show(table)
    sizes = ", ".join(f"{kind} {size / 1e9:,.2f}" for kind, size in costs.bytes_by_kind.items())
    show(f"candidates {costs.candidates:,}; files or objects {costs.objects:,}; GB: {sizes}")
    show(f"tokens of the rewriter: {costs.tokens.get('in', 0):,} read, {costs.tokens.get('out', 0):,} written")
    for host in costs.hosts[:3]:
        show(f"{host.host}: at least {host.requests:,} requests, {host.days:,.1f} days at the recipe's rate")
    show(f"bottleneck: {costs.bottleneck}")
