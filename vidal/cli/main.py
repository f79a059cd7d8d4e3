"""`vidal ...`: thin. Exit codes: 0 done, 1 done but something that should have worked did not, 2 the input is wrong."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from vidal import __version__
from vidal.cli.ablate import proxy
from vidal.cli.evaluate import evaluate
from vidal.cli.train import pack, train
from vidal.errors import BalanceError, StorageError, TrainingError, UserError, VidalError

_recipe = click.option(
    "--recipe", default="embedded", show_default=True, help="A recipe of pipelines/, or a YAML file."
)
_set = click.option(
    "--set", "overrides", multiple=True, metavar="KEY.PATH=VALUE", help="Overrides a key of the recipe."
)
_json = click.option("--json", "as_json", is_flag=True, help="Prints one machine-readable summary line last.")


@click.group()
@click.version_option(__version__)
def cli() -> None:
    """Builds language-bound multimodal datasets, after VIDAL-10M."""


@cli.command("build-shard")
@click.argument("shards", metavar="N")
@_recipe
@click.option("--out", required=True, help="The dataset: a folder or a URI.")
@click.option("--stage", "until", help="Stops after this stage; commits nothing.")
@click.option("--limit", type=click.IntRange(min=1), help="At most that many candidates.")
@_set
@click.option(
    "--catalogue",
    type=click.Path(),
    help="Your own list of URLs (csv, jsonl, Parquet) instead of the recipe's sources.",
)
@click.option("--allow-host", "allow_hosts", multiple=True, help="Admits a host in a private or loopback range.")
@click.option("--keep-stale", is_flag=True, help="Keeps what earlier versions of the stages made.")
@_json
def build_shard(
    shards: str,
    recipe: str,
    out: str,
    until: str | None,
    limit: int | None,
    overrides: tuple[str, ...],
    catalogue: str | None,
    allow_hosts: tuple[str, ...],
    keep_stale: bool,
    as_json: bool,
) -> None:
    """Builds shard N (0, 0-9 or 0,3,7) of a recipe into OUT."""
    from vidal.config.loading import load_recipe
    from vidal.dataset import build, checks, discover
    from vidal.dataset.commit import is_committed
    from vidal.dataset.dataset_file import claim
    from vidal.dedup import decontamination
    from vidal.pipeline.progress import Progress
    from vidal.stages.order import STAGES
    from vidal.storage.storage import Storage

    if keep_stale:
        overrides = (*overrides, "engine.keep_stale=true")
    loaded = load_recipe(recipe, overrides, catalogue=catalogue and os.path.abspath(catalogue), limit=limit)
    if until and until not in STAGES:
        raise UserError(f"no stage {until!r}: choose from {', '.join(STAGES)}")
    if not loaded.catalogue and not loaded.search:
        raise UserError(f"recipe {loaded.name} names no search: give your own list with --catalogue FILE")
    numbers = checks.parse_shards(shards, discover.shard_count(loaded))
    out = out if "://" in out else os.path.abspath(out)
    storage = Storage(out)
    decontamination.load(loaded)
    pending = [n for n in numbers if not is_committed(storage, n, list(STAGES.values()), loaded)]
    if pending:
        checks.check(loaded)
    claim(storage, loaded)
    reports = []
    for number in numbers:
        watch = lambda store, parts, stages, number=number: Progress(store, number, parts, stages)  # noqa: E731
        reports.append(
            build.build(loaded, out, number, allow_hosts=allow_hosts, until=until, progress=watch, say=_print)
        )
        _show(reports[-1], out)
    if as_json:
        click.echo(json.dumps([asdict(report) for report in reports]))
    sys.exit(1 if any(report.is_faulty for report in reports) else 0)


@cli.command()
@click.argument("out")
@click.option("--class", "class_", default="transient", show_default=True, help="transient, or a reason of the ledger.")
@click.option("--allow-host", "allow_hosts", multiple=True, help="Admits a host in a private or loopback range.")
@_json
def retry(out: str, class_: str, allow_hosts: tuple[str, ...], as_json: bool) -> None:
    """Tries again the candidates of OUT whose failure is transient, or of one reason, and adds what comes of them."""
    from vidal.dataset import build, checks
    from vidal.dataset import retry as again
    from vidal.pipeline.progress import Progress
    from vidal.storage.storage import Storage

    again.check_class(class_)
    out = out if "://" in out else os.path.abspath(out)
    storage = Storage(out)
    loaded, shards = again.recipe_of(storage)
    checks.check(loaded)
    reports = []
    for shard in shards:
        count = again.move(storage, loaded, shard, class_)
        _print(f"shard {shard}: {count} candidates are tried again")
        watch = lambda store, parts, stages, shard=shard: Progress(store, shard, parts, stages)  # noqa: E731
        reports.append(build.build(loaded, out, shard, allow_hosts=allow_hosts, progress=watch, say=_print))
        _show(reports[-1], out)
    if as_json:
        click.echo(json.dumps([asdict(report) for report in reports]))
    sys.exit(1 if any(report.is_faulty for report in reports) else 0)


@cli.command("filter")
@click.argument("out")
@_set
@_json
def refilter(out: str, overrides: tuple[str, ...], as_json: bool) -> None:
    """Decides again which clips of OUT stay, from stored scores: vidal filter OUT --set similarity_min=0.25."""
    from vidal.config.loading import with_filters
    from vidal.dataset import refilter as again
    from vidal.dataset.retry import recipe_of
    from vidal.storage.storage import Storage

    storage = Storage(out if "://" in out else os.path.abspath(out))
    loaded, shards = recipe_of(storage)
    loaded = with_filters(loaded, overrides)
    decisions = [again.refilter(storage, loaded, shard) for shard in shards]
    for each in decisions:
        _print(f"shard {each.shard}: {each.before} clips before, {each.after} now")
        if each.waiting:
            _print(f"  {each.waiting} more pass, but their views were never made: vidal build-shard makes them")
    if as_json:
        click.echo(json.dumps([asdict(each) for each in decisions]))


@cli.command()
@click.argument("out")
@_json
def validate(out: str, as_json: bool) -> None:
    """Reopens every row of OUT, decodes every file, checks every hash."""
    from vidal.dataset.validate import validate as check

    rows, problems = check(out)
    for problem in problems:
        click.echo(problem)
    if as_json:
        click.echo(json.dumps({"rows": rows, "problems": problems}))
    else:
        click.echo(f"{rows} rows, {len(problems)} problems")
    sys.exit(1 if problems else 0)


@cli.command()
@click.argument("out")
@_json
def deduplicate(out: str, as_json: bool) -> None:
    """Marks copies across the shards of OUT anew, in duplicate_of. A build does so itself."""
    from vidal.dataset.retry import recipe_of
    from vidal.dedup import across_shards
    from vidal.storage.storage import Storage

    storage = Storage(out if "://" in out else os.path.abspath(out))
    loaded, _ = recipe_of(storage)
    marked = across_shards.mark(storage, loaded.duplicates)
    if as_json:
        click.echo(json.dumps(marked))
        return
    for shard, count in marked.items():
        _print(f"shard {shard}: {count} clips are copies of clips in lower shards")


@cli.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False))
@_recipe
@_set
@click.option("--to", required=True, type=click.Path(), help="The Parquet file to write.")
@_json
def signatures(folder: str, recipe: str, overrides: tuple[str, ...], to: str, as_json: bool) -> None:
    """Writes hashes and vectors of an evaluation set's media, for decontaminate in a recipe with the same models."""
    from pathlib import Path

    from vidal.config.loading import load_recipe
    from vidal.dedup import signatures as signing

    done, problems = signing.write(Path(folder), Path(to), load_recipe(recipe, overrides))
    for problem in problems:
        click.echo(problem, err=True)
    if as_json:
        click.echo(json.dumps({"files": done, "problems": problems}))
    else:
        _print(f"{done} files in {to}; {len(problems)} could not be read")
    sys.exit(1 if problems else 0)


@cli.command()
@click.argument("out")
@click.option("--format", "format_", type=click.Choice(["languagebind", "webdataset", "hf"]), required=True)
@click.option("--to", help="Folder to write; OUT/_export/FORMAT without it.")
@_json
def export(out: str, format_: str, to: str | None, as_json: bool) -> None:
    """Writes OUT in the layout of another loader: LanguageBind's JSON and media, WebDataset's tars, Hugging Face's Parquet."""
    from pathlib import Path

    from vidal.export import export as exporting

    if to is None and "://" in out:
        raise UserError("--to: name a local folder to export a remote dataset to")
    target = Path(to or os.path.join(out, "_export", format_))
    done = exporting.export(out if "://" in out else os.path.abspath(out), format_, target)
    if as_json:
        click.echo(json.dumps(asdict(done)))
        return
    _print(f"{done.clips} clips in {target}; {done.incomplete} lack a text that the format has a place for")
    if done.not_millimetres:
        _print(
            f"  depth of {done.not_millimetres} is no millimetres (their depth_kind is not metric), as readers of this format take it"
        )


@cli.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@click.option("--to", required=True, type=click.Path(), help="The catalogue to write: a Parquet file.")
@click.option("--url", default=None, help="Where the clip of an id lies, with {id} and {folder}; YouTube without it.")
@_json
def import_(file: str, to: str, url: str | None, as_json: bool) -> None:
    """Reads an annotation JSON in LanguageBind's layout as a catalogue: its texts become views of the clips."""
    from pathlib import Path

    from vidal.export import languagebind_annotations

    done = languagebind_annotations.read(Path(file), Path(to), url or languagebind_annotations.YOUTUBE)
    if as_json:
        click.echo(json.dumps(asdict(done)))
        return
    _print(f"{done.clips} clips with {done.texts} texts in {to}; next: vidal build-shard 0 --catalogue {to} --out DIR")


@cli.command()
@click.argument("out")
def report(out: str) -> None:
    """Writes OUT/_reports/shard-NNNNN.html: funnel, strips, every caption, the rejects."""
    from vidal.report.report import report as write

    for name in write(out):
        click.echo(os.path.join(out, name))


@cli.command("plan")
@_recipe
@_set
@_json
def show_plan(recipe: str, overrides: tuple[str, ...], as_json: bool) -> None:
    """Prints stages, models and resources of a recipe, and what cannot be loaded here and why."""
    from vidal.config.loading import load_recipe
    from vidal.dataset.plan import plan

    loaded = load_recipe(recipe, overrides)
    lines = plan(loaded)
    if as_json:
        click.echo(json.dumps({"recipe": loaded.name, "stages": [asdict(line) for line in lines]}))
        return
    table = Table(
        "stage", "pool", "cpus", "gpus", "workers", "model", "here", title=f"{loaded.name}: {loaded.description}"
    )
    for line in lines:
        here = line.absent or ("ready" if line.model not in ("", "none") else "")
        workers = "-".join(str(count) for count in dict.fromkeys(line.workers))
        table.add_row(line.stage, str(line.pool), f"{line.cpus:g}", f"{line.gpus:g}", workers, line.model, here)
    _print(table)


@cli.group("search-terms")
def search_terms() -> None:
    """The search-term database."""


@search_terms.command("build")
@_recipe
@_set
@click.option("--out", required=True, help="Folder or URI for terms.parquet and its report.")
@_json
def build_terms(recipe: str, overrides: tuple[str, ...], out: str, as_json: bool) -> None:
    """Reads the recipe's corpora, tags, tallies and balances them."""
    import contextlib

    from vidal.config.loading import load_recipe
    from vidal.pipeline.progress import tracked
    from vidal.storage.storage import Storage
    from vidal.terms.build import build
    from vidal.terms.report import PAGE, report

    loaded = load_recipe(recipe, overrides)
    storage = Storage(out if "://" in out else os.path.abspath(out))
    storage.check_writable()
    with contextlib.ExitStack() as stack:

        def cluster() -> Any:
            from vidal.pipeline.executors import executor_of

            executor = executor_of(loaded)
            stack.enter_context(executor.session())
            return tracked(executor.spread)

        summary = build(loaded, storage, cluster)
    report(storage)
    keyword, before, after = summary.head()
    if as_json:
        click.echo(json.dumps({"terms": summary.terms, "distinct": summary.distinct, "coverage": summary.coverage}))
        return
    _print(f"{summary.terms} terms of {summary.distinct} texts in {os.path.join(out, 'terms.parquet')}")
    _print(
        f"{summary.coverage:.1%} of {len(summary.before)} keywords; {keyword!r}: {before:.2%} before, {after:.2%} after"
    )
    _print(f"report: {os.path.join(out, PAGE)}")


@search_terms.command("feedback")
@click.argument("out")
@click.option("--db", default="search_terms/db", show_default=True, help="Folder or URI of terms.parquet.")
def learn(out: str, db: str) -> None:
    """Reads what became of each term in OUT, and writes what it may cost next time: DB/budget.parquet."""
    from vidal.storage.storage import Storage
    from vidal.terms.feedback import TABLE, feedback

    opened = (Storage(name if "://" in name else os.path.abspath(name)) for name in (out, db))
    counts = feedback(*opened)
    _print("terms: " + ", ".join(f"{why} {count}" for why, count in sorted(counts.items())))
    _print(f"next: vidal build-shard N --set terms.budget={os.path.join(db, TABLE)}")


@search_terms.command("show")
@click.option("--top", default=50, show_default=True, type=click.IntRange(min=1))
@click.option("--db", default="search_terms/db", show_default=True, type=click.Path(), help="Folder of terms.parquet.")
def show_terms(top: int, db: str) -> None:
    """Prints the keywords that most terms hold, and some of these."""
    from collections import defaultdict

    from vidal.storage.storage import Storage

    storage = Storage(os.path.abspath(db))
    if not storage.exists("terms.parquet"):
        raise UserError(f"{db} holds no terms.parquet: run `make search-terms` or vidal search-terms build")
    by_keyword: dict[str, list[str]] = defaultdict(list)
    for row in storage.read_table("terms.parquet", ["term", "keywords"]).to_pylist():
        for keyword in row["keywords"]:
            by_keyword[keyword].append(row["term"])
    table = Table("keyword", "terms", "such as")
    for keyword in sorted(by_keyword, key=lambda key: (-len(by_keyword[key]), key))[:top]:
        table.add_row(keyword, str(len(by_keyword[keyword])), ", ".join(by_keyword[keyword][:4]))
    _print(table)


cli.add_command(train)
cli.add_command(pack)
cli.add_command(evaluate)
cli.add_command(proxy)


def _show(report: Any, out: str) -> None:
    if report.done_before:
        _print(f"shard {report.shard} was built before and is unchanged: {report.rows}")
    else:
        table = Table("stage", "in", "kept", "dropped", "failed", title=f"shard {report.shard}, {report.seconds:.0f} s")
        for line in report.funnel:
            table.add_row(line["stage"], *(str(line[key]) for key in ("in", "kept", "dropped", "failed")))
        _print(table)
        if report.reasons:
            _print("ended: " + ", ".join(f"{reason} {count}" for reason, count in report.reasons.items()))
        if report.views:
            _print("views: " + ", ".join(f"{view} {count}" for view, count in report.views.items()))
        if report.contaminated:
            _print("of evaluation sets: " + ", ".join(f"{name} {count}" for name, count in report.contaminated.items()))
    if report.stale:
        _print("kept from earlier versions: " + ", ".join(f"{stage} {count}" for stage, count in report.stale.items()))
    if report.quarantined:
        _print(
            f"{report.quarantined} records are quarantined: their tracebacks are in the ledger; the same command tries again"
        )
    if report.failed_views:
        _print(f"{report.failed_views} views failed and are transient: the ledger says why; the same command tries them again")
    if report.is_empty:
        _print("no clip was kept: `vidal report` and the ledger say why")
    if not report.stage_only:
        _print(f'python -c "import pandas as pd; print(pd.read_parquet({out!r}))"')


def _print(what: Any) -> None:
    width = None if sys.stdout.isatty() else 160
    Console(width=width, soft_wrap=isinstance(what, str), highlight=False, markup=False).print(what)


def main() -> None:
    """Entry point: what the user got wrong is one line on stderr and exit code 2."""
    try:
        cli(standalone_mode=False)
    except UserError as error:
        _fail(str(error), 2)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
    except click.UsageError as error:
        _fail(error.format_message(), 2)
    except (click.Abort, KeyboardInterrupt):
        _fail("stopped; the same command goes on from here", 130)
    except BalanceError as error:
        _fail(f"not committed: {error}", 1)
    except TrainingError as error:
        _fail(f"training stopped: {error}", 1)
    except StorageError as error:
        _fail(f"stopped: {error}; what is done is kept, and the same command goes on from here", 1)
    except VidalError as error:
        _fail(f"stopped: {error}", 1)


def _fail(message: str, code: int) -> None:
    click.echo(f"vidal: {' '.join(message.split())}", err=True)
    sys.exit(code)


