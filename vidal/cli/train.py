"""Commands of the trainer: train, pack, export-encoder."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click
from rich.table import Table

from vidal.cli import options
from vidal.cli.output import python_line, show, show_json

if TYPE_CHECKING:
    from vidal.train.run import Outcome


@click.command()
@options.recipe
@options.overrides
@click.option("--data", "out", required=True, help="The dataset: a folder or a URI.")
@click.option(
    "--out", "folder", type=click.Path(file_okay=False), help="Folder of the run. Default: DATA/_train/RECIPE."
)
@options.as_json
def train(recipe: str, overrides: tuple[str, ...], out: str, folder: str | None, as_json: bool) -> None:
    """Trains the recipe's encoders on the dataset --data, and writes the folder encoder/ in --out. A repeated command resumes the run."""
    from vidal.config.loading import load_recipe
    from vidal.errors import UserError
    from vidal.storage import layout
    from vidal.storage.storage import absolute_uri

    loaded = load_recipe(recipe, overrides)
    if "://" in (folder or out):
        raise UserError("--out (RUN in make): name a local folder, because a run cannot be written to a URI")
    out = absolute_uri(out)
    target = Path(os.path.abspath(folder or os.path.join(out, layout.TRAINED, loaded.name)))
    outcomes = _run(loaded, out, target)
    if as_json:
        show_json([asdict(each) for each in outcomes])
        return
    table = Table(
        "modality",
        "clips",
        "steps",
        "loss",
        "R@1 to text",
        "R@1 from text",
        "val to text",
        "val from text",
        "samples/s",
        "unreadable",
        "left out",
        title="R@1 on the clips of the training, and on those of the split val",
    )
    for each in outcomes:
        table.add_row(
            each.modality,
            str(each.clips),
            str(each.steps),
            f"{each.loss:.3f}",
            f"{each.recall_to_text:.1%}",
            f"{each.recall_to_modality:.1%}",
            _share(each.val_recall_to_text),
            _share(each.val_recall_to_modality),
            f"{each.samples_s:.1f}",
            str(each.unreadable),
            ", ".join(f"{reason} {count}" for reason, count in each.left_out.items()) or "0",
        )
    show(table)
    show(
        f"encoder: {target / 'encoder'}; "
        + python_line(f"import vidal; print(vidal.load_encoder({str(target / 'encoder')!r}).modalities)")
    )


def _share(value: float | None) -> str:
    return "no clips" if value is None else f"{value:.1%}"


def _run(recipe: Any, out: str, folder: Path) -> list[Outcome]:
    from vidal.train import run

    if recipe.train.processes == 1:
        run.train(recipe.train, out, folder, run.default_device())
    else:
        from vidal.pipeline.executors import executor_of
        from vidal.train import cluster

        ray_recipe = recipe.model_copy(update={"engine": recipe.engine.model_copy(update={"executor": "ray"})})
        with executor_of(ray_recipe).session():
            cluster.train(recipe.train, out, folder)
    stored = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    return [run.Outcome(**each) for each in stored]


@click.command()
@options.recipe
@options.overrides
@click.option("--data", "out", required=True, help="The dataset: a folder.")
@options.as_json
def pack(recipe: str, overrides: tuple[str, ...], out: str, as_json: bool) -> None:
    """Decodes the input of the recipe's encoders once, into DATA/_packed, so that training does not wait for a decoder."""
    from vidal.config.loading import load_recipe
    from vidal.storage.storage import Storage, absolute_uri
    from vidal.train import packed

    packings = list(packed.pack(Storage(absolute_uri(out)), load_recipe(recipe, overrides).train))
    if as_json:
        show_json([asdict(each) for each in packings])
        return
    for packing in packings:
        show(
            f"{packing.modality}: {packing.clips} clips packed, {packing.kept} were already packed, "
            f"{packing.unreadable} could not be read"
        )


@click.command("export-encoder")
@click.argument("encoder", type=click.Path(file_okay=False))
@click.option(
    "--to",
    required=True,
    type=click.Path(file_okay=False),
    help="The folder to write, with a folder for each modality.",
)
@click.option(
    "--format", "layout", type=click.Choice(["languagebind", "transformers"]), default="languagebind", show_default=True
)
@click.option("--keep-adapters", is_flag=True, help="Writes LoRA beside the weights, instead of merging it into them.")
@options.as_json
def export_encoder(
    encoder: str, to: str, layout: Literal["languagebind", "transformers"], keep_adapters: bool, as_json: bool
) -> None:
    """Writes each modality of ENCODER, with its language tower, in the layout of LanguageBind or of CLIP in transformers."""
    from vidal.train.export import export_encoder as write

    written = write(encoder, to, layout, keep_adapters)
    if as_json:
        show_json([asdict(each) for each in written])
        return
    for each in written:
        show(f"{each.modality}: {each.folder}")
