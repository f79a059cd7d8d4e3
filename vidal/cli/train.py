"""`vidal train` and `vidal pack`: thin."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

_recipe = click.option(
    "--recipe", default="embedded", show_default=True, help="A recipe of pipelines/, or a YAML file."
)
_set = click.option(
    "--set", "overrides", multiple=True, metavar="KEY.PATH=VALUE", help="Overrides a key of the recipe."
)
_json = click.option("--json", "as_json", is_flag=True, help="Prints one machine-readable summary line last.")


@click.command()
@_recipe
@_set
@click.option("--data", "out", required=True, help="The dataset: a folder or a URI.")
@click.option(
    "--out", "folder", type=click.Path(file_okay=False), help="Folder of the run; OUT/_train/RECIPE without it."
)
@_json
def train(recipe: str, overrides: tuple[str, ...], out: str, folder: str | None, as_json: bool) -> None:
    """Trains the recipe's encoders on the manifests of OUT, and writes FOLDER/encoder. The same command goes on where it stopped."""
    from vidal.config.loading import load_recipe
    from vidal.errors import UserError

    loaded = load_recipe(recipe, overrides)
    if folder is None and "://" in out:
        raise UserError("--out: name a local folder for the run of a remote dataset")
    out = out if "://" in out else os.path.abspath(out)
    target = Path(os.path.abspath(folder or os.path.join(out, "_train", loaded.name)))
    outcomes = _run(loaded, out, target)
    if as_json:
        click.echo(json.dumps(outcomes))
        return
    table = Table(
        "modality",
        "clips",
        "steps",
        "loss",
        "R@1 to text",
        "R@1 from text",
        "samples/s",
        "unreadable",
        "left out",
        title="on what it learned from",
    )
    for each in outcomes:
        shares = (f"{each[key]:.1%}" for key in ("recall_to_text", "recall_to_modality"))
        table.add_row(
            each["modality"],
            str(each["clips"]),
            str(each["steps"]),
            f"{each['loss']:.3f}",
            *shares,
            f"{each['samples_s']:.1f}",
            str(each["unreadable"]),
            ", ".join(f"{reason} {count}" for reason, count in each["left_out"].items()) or "0",
        )
    _print(table)
    _print(
        f'encoder: {target / "encoder"}; python -c "import vidal; print(vidal.load_encoder({str(target / "encoder")!r}).modalities)"'
    )


def _run(recipe: Any, out: str, folder: Path) -> list[dict[str, Any]]:
    from vidal.train import run

    if recipe.train.processes == 1:
        run.train(recipe.train, out, folder, run.default_device())
    else:
        from vidal.pipeline.executors import executor_of
        from vidal.train import cluster

        ray_recipe = recipe.model_copy(update={"engine": recipe.engine.model_copy(update={"executor": "ray"})})
        with executor_of(ray_recipe).session():
            cluster.train(recipe.train, out, folder)
    found: list[dict[str, Any]] = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    return found


@click.command()
@_recipe
@_set
@click.option("--data", "out", required=True, help="The dataset: a folder.")
@_json
def pack(recipe: str, overrides: tuple[str, ...], out: str, as_json: bool) -> None:
    """Decodes what the recipe's encoders see once, into OUT/_packed: training then waits for no decoder."""
    from vidal.config.loading import load_recipe
    from vidal.storage.storage import Storage
    from vidal.train import packed

    done = list(
        packed.pack(Storage(out if "://" in out else os.path.abspath(out)), load_recipe(recipe, overrides).train)
    )
    if as_json:
        click.echo(json.dumps([asdict(each) for each in done]))
        return
    for each in done:
        _print(
            f"{each.modality}: {each.clips} clips packed, {each.kept} had been before, {each.unreadable} could not be read"
        )


def _print(what: Any) -> None:
    Console(width=None if os.isatty(1) else 160, soft_wrap=isinstance(what, str), highlight=False, markup=False).print(
        what
    )
