"""python -m vidal.estimators train | evaluate | sheet: trains, evaluates and shows the estimators that ship with vidal."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click

from vidal.config.base import ModelSpec
from vidal.errors import UserError
from vidal.estimators import measure, training_pairs
from vidal.estimators.fit import fit
from vidal.estimators.sheet import contact_sheet
from vidal.estimators.tasks import TASKS
from vidal.models.checkpoint import save
from vidal.models.registry import DEPTH, INFRARED, open_model
from vidal.models.weights import EMBEDDED

_task = click.option("--task", "names", type=click.Choice(sorted(TASKS)), multiple=True, default=tuple(TASKS))
_data = click.option(
    "--data", type=click.Path(path_type=Path), required=True, help="Folder with rgbd/, rgb_ir/, images/."
)


@click.group()
def main() -> None:
    """Trains, evaluates and shows the small estimators of depth and infrared that ship with vidal."""


@main.command()
@_data
@_task
@click.option("--out", type=click.Path(path_type=Path), default=EMBEDDED, help="Folder for depth/ and infrared/.")
def train(data: Path, names: tuple[str, ...], out: Path) -> None:
    """Trains the estimators of --task, starting from ImageNet's weights, and saves them in --out.

    The same data, machine and number of threads give the same weights.
    """
    for name in names:
        task, started = TASKS[name], time.monotonic()
        net = fit(task.sources(data), task.config, task.plan)
        click.echo(f"{name}: revision {save(out / name, net, task.config)}, {time.monotonic() - started:.0f} s")


@main.command()
@_data
@_task
@click.option(
    "--weights",
    default="embedded:",
    help='"embedded:" for those that vidal ships, or a folder with depth/ and infrared/.',
)
def evaluate(data: Path, names: tuple[str, ...], weights: str) -> None:
    """Prints the tables of the model cards, computed on pictures that were not used for training."""
    for name in names:
        model = f"{weights}{name}" if weights == "embedded:" else str(Path(weights) / name)
        spec = ModelSpec(adapter="encoder_decoder", id=model)
        for line in (_depth if name == "depth" else _infrared)(spec, data):
            click.echo(line)


def _depth(spec: ModelSpec, data: Path) -> list[str]:
    maps = measure.depth_maps(open_model(DEPTH, spec), training_pairs.rgbd(data, "train"))
    sets = {"7-Scenes, held out": training_pairs.rgbd(data, "test"), "stereo_motorcycle": [training_pairs.motorcycle()]}
    lines = ["| pictures | what | AbsRel | delta1 | Spearman |", "|---|---|---|---|---|"]
    for pictures, pairs in sets.items():
        for what, estimate in maps.items():
            s = measure.score_depth(estimate, pairs)
            lines.append(
                f"| {pictures} ({len(pairs)}) | {what} | {s.abs_rel:.3f} | {s.delta1:.3f} | {s.spearman:.3f} |"
            )
    return lines


def _infrared(spec: ModelSpec, data: Path) -> list[str]:
    maps, test = measure.infrared_maps(open_model(INFRARED, spec)), training_pairs.rgb_ir(data, "test")
    sets = {"all held out": test}
    for source in sorted({pair.source for pair in test}):
        sets[source] = [pair for pair in test if pair.source == source]
    lines = ["| pictures | what | L1 | SSIM |", "|---|---|---|---|"]
    for pictures, pairs in sets.items():
        for what, translate in maps.items():
            s = measure.score_infrared(translate, pairs)
            lines.append(f"| {pictures} ({len(pairs)}) | {what} | {s.l1:.3f} | {s.ssim:.3f} |")
    return lines


@main.command()
@click.argument("target", type=click.Path(path_type=Path), default=EMBEDDED.parent / "contact_sheet.png")
def sheet(target: Path) -> None:
    """Saves openly licensed pictures that were not used for training, with their depth and infrared, as one image in the file TARGET."""
    image = contact_sheet()
    image.quantize(192).save(target, optimize=True)
    click.echo(f"{target}: {image.width} x {image.height}, {target.stat().st_size // 1000} kB")


if __name__ == "__main__":
    try:
        main(standalone_mode=True)
    except UserError as error:
        print(f"vidal.estimators: {error}", file=sys.stderr)
        sys.exit(2)
