"""Commands about copies: deduplicate, signatures."""

from __future__ import annotations

import sys

import click

from vidal.cli import options
from vidal.cli.output import show, show_json


@click.command()
@click.argument("out")
@options.as_json
def deduplicate(out: str, as_json: bool) -> None:
    """Marks copies across the shards of OUT, in the column duplicate_of. Shards that were compared before are not compared again.

    This is needed only if OUT has more clips than duplicates.dataset_clips_max: a build of a smaller dataset marks the copies itself.
    """
    from vidal.dataset import api

    marked = api.deduplicate(out, say=lambda line: click.echo(line, err=True))
    if as_json:
        show_json(marked)
        return
    for shard, count in marked.items():
        show(f"shard {shard}: {count} clips are copies of clips in lower shards")


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False))
@options.recipe
@options.overrides
@click.option("--to", required=True, type=click.Path(), help="The Parquet file to write.")
@options.as_json
def signatures(folder: str, recipe: str, overrides: tuple[str, ...], to: str, as_json: bool) -> None:
    """Writes signatures (hashes and vectors) of the media in FOLDER to a file, with which a build finds copies of these media.

    FOLDER is an evaluation set. Name the file in the recipe of the build, as decontaminate.signatures. If that recipe sets
    decontaminate.semantic, run this command with the same models, because vectors of different models cannot be compared.
    """
    from pathlib import Path

    from vidal.config.loading import load_recipe
    from vidal.dedup import signatures as signing

    count, problems = signing.write(Path(folder), Path(to), load_recipe(recipe, overrides))
    for problem in problems:
        click.echo(problem, err=True)
    if as_json:
        show_json({"files": count, "problems": problems})
    else:
        show(f"{count} files in {to}; {len(problems)} could not be read")
    sys.exit(1 if problems else 0)
