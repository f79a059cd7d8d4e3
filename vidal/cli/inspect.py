"""Commands that read a dataset and change no clip: validate, report."""

from __future__ import annotations

import os
import sys

import click

from vidal.cli import options
from vidal.cli.output import show_json


@click.command()
@click.argument("out")
@options.as_json
def validate(out: str, as_json: bool) -> None:
    """Checks the rows, the files and the ledger of the dataset OUT.

    Every file must have the hash that the dataset states, and must decode; of a video, only the end is decoded. The ledger must
    have the same kept clips as the manifest, and an outcome for each of their views.
    """
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
    """Writes OUT/_reports/shard-NNNNN.html: the counts of every stage, strips of frames, every caption, and the rejected clips."""
    from vidal.report.report import report as write

    for name in write(out):
        click.echo(os.path.join(out, name))
