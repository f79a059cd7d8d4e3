"""Commands that read a dataset or a recipe and change no clip: validate, report, plan."""

from __future__ import annotations

import os
import sys
from dataclasses import asdict

import click
from rich.table import Table

from vidal.cli import options
from vidal.cli.output import show, show_json


@click.command()
@click.argument("out")
@options.as_json
def validate(out: str, as_json: bool) -> None:
    """Reopens every row of OUT, decodes every file and checks every hash."""
    from vidal.dataset.validate import validate as check

    rows, problems = check(out)
    for problem in problems:
        click.echo(problem)
    if as_json:
        show_json({"rows": rows, "problems": problems})
    else:
        click.echo(f"{rows} rows, {len(problems)} problems")
    sys.exit(1 if problems else 0)


@click.command()
@click.argument("out")
def report(out: str) -> None:
    """Writes OUT/_reports/shard-NNNNN.html: the funnel, strips of frames, every caption, and the rejects."""
    from vidal.report.report import report as write

    for name in write(out):
        click.echo(os.path.join(out, name))


@click.command()
@options.recipe
@options.overrides
@options.collection
@options.as_json
def plan(recipe: str, overrides: tuple[str, ...], collection: str | None, as_json: bool) -> None:
    """Prints the stages, models and resources of a recipe, and which models cannot be loaded here and why."""
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
    if as_json:
        show_json({"recipe": loaded.name, **remarks, "stages": [asdict(line) for line in lines]})
        return
    columns = ("stage", "pool", "cpus", "gpus", "workers", "model", "here")
    table = Table(*columns, title=f"{loaded.name}: {loaded.description}")
    for line in lines:
        here = line.absent or ("ready" if line.model not in ("", "none") else "")
        workers = "-".join(str(count) for count in dict.fromkeys(line.workers))
        table.add_row(line.stage, str(line.pool), f"{line.cpus:g}", f"{line.gpus:g}", workers, line.model, here)
    show(table)
    for remark in filter(None, remarks.values()):
        show(remark)
