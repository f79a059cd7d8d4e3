"""Commands that write or read the layouts of other tools: export, import."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path

import click

from vidal.cli import options
from vidal.cli.output import show, show_json
from vidal.errors import UserError


@click.command()
@click.argument("out")
@click.option("--format", "format_", type=click.Choice(["languagebind", "webdataset", "hf"]), required=True)
@click.option("--to", help="Folder to write. Default: OUT/_export/FORMAT.")
@options.as_json
def export(out: str, format_: str, to: str | None, as_json: bool) -> None:
    """Writes the clips of OUT in the layout of another loader: LanguageBind's JSON and media, WebDataset's tars or Hugging Face's
    Parquet."""
    from vidal.export.export import export as write
    from vidal.storage.storage import absolute_uri

    if to is None and "://" in out:
        raise UserError("--to: name a local folder, because the dataset is remote")
    target = Path(to or os.path.join(out, "_export", format_))
    exported = write(absolute_uri(out), format_, target)
    if as_json:
        show_json(asdict(exported))
        return
    show(f"{exported.clips} clips in {target}; {exported.incomplete} lack a text that the format has a field for")
    if exported.left_out:
        counts = ", ".join(f"{reason} {count}" for reason, count in sorted(exported.left_out.items()))
        show(f"  left out, as in training: {counts}")
    if exported.not_millimetres:
        show(
            f"  the depth of {exported.not_millimetres} clips is not in millimetres (their depth_kind is not metric), "
            "although readers of this format expect millimetres"
        )


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@click.option("--to", required=True, type=click.Path(), help="The catalogue to write: a Parquet file.")
@click.option(
    "--url", default=None, help="The address of a clip, with {id} and {folder} to be filled in. Default: YouTube."
)
@options.as_json
def import_(file: str, to: str, url: str | None, as_json: bool) -> None:
    """Turns an annotation JSON in LanguageBind's layout into a catalogue. Its texts become views of the clips."""
    from vidal.export import languagebind_annotations

    imported = languagebind_annotations.read(Path(file), Path(to), url or languagebind_annotations.YOUTUBE)
    if as_json:
        show_json(asdict(imported))
        return
    show(
        f"{imported.clips} clips with {imported.texts} texts in {to}; next: vidal build-shard 0 --catalogue {to} --out DIR"
    )
