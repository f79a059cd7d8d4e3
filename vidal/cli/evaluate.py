"""The command `evaluate`: measures an encoder on benchmarks, and prints the tables of the LanguageBind paper."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import track
from rich.table import Table

from vidal.cli import options
from vidal.cli.output import show, show_json
from vidal.errors import UserError


@click.command()
@click.option("--task", help="A benchmark, or your own data: --list names them.")
@click.option(
    "--data",
    type=click.Path(file_okay=False),
    help="Folder with the files of the benchmark; for --table, a folder with such a folder for each task.",
)
@click.option(
    "--checkpoint",
    "checkpoints",
    multiple=True,
    help="The folder of an encoder; KIND:ID is one of another project (open_clip, clip, siglip, clap, pe_av, imagebind); recipe:NAME "
    "uses the towers of a recipe before any training. Repeat it to use encoders that were trained separately, for different "
    "modalities, as one.",
)
@click.option(
    "--query",
    metavar="M[+M]",
    help="Modalities of the queries, such as image or depth+image. Default: those of the task.",
)
@click.option(
    "--target", metavar="M[+M]", help="Modalities that are searched, such as text. Default: those of the task."
)
@click.option("--seen", hidden=True)
@click.option("--told", hidden=True)
@click.option(
    "--weight", "weights", multiple=True, metavar="M=W", help="Weight of one of several modalities. Default: 1."
)
@click.option(
    "--share",
    type=click.FloatRange(0, 1, min_open=True),
    help="Uses this share of the samples: a random choice, but the same one each time.",
)
@click.option(
    "--skip-missing", is_flag=True, help="Measures the samples whose files can be read, and counts the others."
)
@click.option(
    "--results",
    type=click.Path(dir_okay=False),
    help="File for the results. Default: evaluations.json in the first CHECKPOINT that is a folder.",
)
@click.option(
    "--table",
    "as_table",
    is_flag=True,
    help="Prints the tables of the LanguageBind paper with our results beside them.",
)
@click.option(
    "--markdown", "layout", flag_value="markdown", help="Prints the tables as Markdown, with the reason for each dash."
)
@click.option("--csv", "layout", flag_value="csv", help="Prints the tables as csv, with the reason for each dash.")
@click.option(
    "--beside",
    multiple=True,
    metavar="NAME=FILE",
    help="Prints the results of another encoder, from its file of --results, as a column of the tables.",
)
@click.option("--list", "as_list", is_flag=True, help="Prints the tasks and the files that each needs.")
@options.as_json
def evaluate(
    task: str | None,
    data: str | None,
    checkpoints: tuple[str, ...],
    query: str | None,
    target: str | None,
    seen: str | None,
    told: str | None,
    weights: tuple[str, ...],
    share: float | None,
    skip_missing: bool,
    results: str | None,
    as_table: bool,
    layout: str | None,
    beside: tuple[str, ...],
    as_list: bool,
    as_json: bool,
) -> None:
    """Measures an encoder zero-shot, that is, without training it on the task: classification, or retrieval in both directions.

    The retrieval may be between texts and media, or between two kinds of media.
    """
    from vidal.evaluate.benchmarks import TASKS

    query = options.renamed("--seen", seen, "--query", query)
    target = options.renamed("--told", told, "--target", target)
    kept = _kept(results, checkpoints)
    if as_list:
        _list()
        return
    if task is not None:
        if task not in TASKS:
            raise UserError(f"--task: no task {task!r}: choose from {', '.join(TASKS)}")
        if data is None or not checkpoints:
            raise UserError("--task needs --data (a folder with the benchmark's files) and --checkpoint (an encoder)")
        measured = _measure(task, Path(data), checkpoints, (query, target), _weights(weights), share, skip_missing)
        if kept:
            from vidal.evaluate.table import record

            record(kept, task, measured)
        show_json({"task": task, **asdict(measured)}) if as_json else _show(task, measured)
    elif not as_table and layout is None:
        raise UserError("nothing to do: give --task T --data DIR --checkpoint C, or --table, or --list")
    if as_table or layout:
        _show_tables(kept, checkpoints, None if task else data, layout, _beside(beside))


def _show_tables(
    kept: Path | None,
    checkpoints: tuple[str, ...],
    data: str | None,
    layout: str | None,
    beside: dict[str, Path],
) -> None:
    """Prints the tables of the LanguageBind paper, together with the results of your encoder.

    kept: the file with these results, or None. checkpoints: the values of --checkpoint; several are joined into one encoder. data: the
    folder with a subfolder of files for each task. layout: "markdown", "csv", or None for the terminal. beside: the files with the
    results of other encoders, by the names of these encoders.
    """
    from vidal.evaluate import table_formats
    from vidal.evaluate.encoders import modalities_of, title_of
    from vidal.evaluate.table import Possible, read_results, tables

    here = Possible(modalities_of(checkpoints) if checkpoints else None, Path(data) if data else None)
    others = {name: read_results(path) for name, path in beside.items()}
    reported = list(tables(read_results(kept) if kept else {}, here, title_of(checkpoints), others))
    if layout is not None:
        click.echo(
            table_formats.markdown(reported) if layout == "markdown" else table_formats.csv_text(reported), nl=False
        )
        return
    for each in reported:
        show(each)


def _measure(
    task: str,
    data: Path,
    checkpoints: tuple[str, ...],
    sides: tuple[str | None, str | None],
    weights: dict[str, float],
    share: float | None,
    skip_missing: bool,
) -> Any:
    from vidal.evaluate.benchmarks import TASKS
    from vidal.evaluate.encoders import open_encoder
    from vidal.evaluate.measure import measure, require

    chosen = TASKS[task]
    query, target = sides[0] or chosen.query, sides[1] or chosen.target
    for option, names in (("--query", query), ("--target", target)):
        _check(option, names)
    whole = chosen.read(data).with_modalities(query, target)
    benchmark = whole.share(chosen.share if share is None else share)
    require(benchmark, query, target, skip_missing)
    return measure(open_encoder(*checkpoints), benchmark, query, target, weights, skip_missing, progress_bar)


def _check(option: str, names: str) -> None:
    from vidal.evaluate.benchmark import TEXT
    from vidal.train.settings import Modality

    known = [*(each.value for each in Modality), TEXT]
    if unknown := [name for name in names.split("+") if name not in known]:
        raise UserError(f"{option}: no modality {unknown[0]!r}: choose from {', '.join(known)}, with + between several")


def _weights(given: tuple[str, ...]) -> dict[str, float]:
    weights = {}
    for option in given:
        name, _, value = option.partition("=")
        try:
            weights[name] = float(value)
        except ValueError:
            raise UserError(f"--weight {option}: must be a modality and a number, such as depth=0.5") from None
        _check("--weight", name)
    return weights


def _beside(given: tuple[str, ...]) -> dict[str, Path]:
    """Parses the values of --beside, "NAME=FILE". Returns the files by name. Raises UserError for a wrong value or a missing file."""
    files = {}
    for option in given:
        name, _, path = option.partition("=")
        if not name or not Path(path).is_file():
            raise UserError(
                f"--beside {option}: must be a name and a file of results, such as ImageBind=imagebind.json"
            )
        files[name] = Path(path)
    return files


def _kept(results: str | None, checkpoints: tuple[str, ...]) -> Path | None:
    """Returns the file for the results: --results if given, else evaluations.json in the first checkpoint that is a local folder.

    Returns None if --results is not given and no checkpoint is a local folder.
    """
    from vidal.evaluate.encoders import results_folder
    from vidal.evaluate.table import RESULTS

    if results:
        return Path(results)
    folder = results_folder(checkpoints)
    return folder / RESULTS if folder else None


def progress_bar(items: Sequence[Any], name: str) -> Iterator[Any]:
    """Yields the items, with a progress bar if standard error is a terminal."""
    console = Console(stderr=True)
    return iter(track(items, name, console=console, disable=not console.is_terminal))


def _show(task: str, measured: Any) -> None:
    left_out = (
        f", {measured.missing} without a file, {measured.unreadable} unreadable"
        if measured.missing or measured.unreadable
        else ""
    )
    table = Table(
        "metric", "", title=f"{task}: {measured.query} -> {measured.target}, {measured.samples} samples{left_out}"
    )
    for name, value in measured.metrics.items():
        table.add_row(name, f"{value:.1f}" if name.endswith("_rank") else f"{value:.1%}")
    show(table)


def _list() -> None:
    from vidal.evaluate.benchmarks import TASKS

    table = Table("task", "query", "target", "share", "data")
    for name, task in TASKS.items():
        table.add_row(name, task.query, task.target, f"{task.share:.0%}", task.needs)
    show(table)
