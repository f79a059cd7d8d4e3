"""Commands of the search-term database: build, feedback, show."""

from __future__ import annotations

import contextlib
import os
from collections import defaultdict
from typing import Any

import click
from rich.table import Table

from vidal.cli import options
from vidal.cli.output import show, show_json
from vidal.errors import UserError


@click.group("search-terms")
def search_terms() -> None:
    """Builds and shows the search-term database."""


@search_terms.command("build")
@options.recipe
@options.overrides
@click.option("--out", required=True, help="Folder or URI for terms.parquet and its report.")
@options.as_json
def build_terms(recipe: str, overrides: tuple[str, ...], out: str, as_json: bool) -> None:
    """Builds the database: counts the keywords in the texts of the recipe's corpora, and selects terms so that keywords are balanced."""
    from vidal.config.loading import load_recipe
    from vidal.storage.storage import Storage, absolute_uri
    from vidal.terms.build import build
    from vidal.terms.report import PAGE, report

    loaded = load_recipe(recipe, overrides)
    storage = Storage(absolute_uri(out))
    storage.check_writable()
    with contextlib.ExitStack() as stack:
        summary = build(loaded, storage, lambda: _cluster_map(loaded, stack))
    report(storage)
    keyword, before, after = summary.head()
    if as_json:
        show_json({"terms": summary.terms, "distinct": summary.distinct, "coverage": summary.coverage})
        return
    show(f"{summary.terms} terms of {summary.distinct} texts in {os.path.join(out, 'terms.parquet')}")
    show(
        f"{summary.coverage:.1%} of {len(summary.before)} keywords; {keyword!r}: {before:.2%} before, {after:.2%} after"
    )
    show(f"report: {os.path.join(out, PAGE)}")


def _cluster_map(recipe: Any, stack: contextlib.ExitStack) -> Any:
    """Starts an executor, which runs until the stack is closed. Returns its parallel map, which shows progress.

    The build of the terms calls this function only if there is enough work for several processes.
    """
    from vidal.pipeline.executors import executor_of
    from vidal.pipeline.progress import tracked

    executor = executor_of(recipe)
    stack.enter_context(executor.session())
    return tracked(executor.spread)


@search_terms.command("feedback")
@click.argument("out")
@options.database
def feedback(out: str, db: str) -> None:
    """Writes DB/budget.parquet: what each term has yielded in OUT, and the weight of the term in later searches.

    With weight 2, a search for the term asks for twice as many results; with weight 0, the term is not searched again.
    """
    from vidal.sources.searches import search_name
    from vidal.storage.storage import Storage, absolute_uri
    from vidal.terms.feedback import TABLE
    from vidal.terms.feedback import feedback as learn

    counts = learn(Storage(absolute_uri(out)), Storage(absolute_uri(db)), search_name)
    show("terms: " + ", ".join(f"{why} {count}" for why, count in sorted(counts.items())))
    show(f"next: vidal build-shard N --set terms.budget={os.path.join(db, TABLE)}")


@search_terms.command("show")
@click.option("--top", default=50, show_default=True, type=click.IntRange(min=1), help="How many keywords.")
@options.database
def show_terms(top: int, db: str) -> None:
    """Prints the most frequent keywords, the number of terms with each of them, and some of these terms."""
    from vidal.storage.storage import Storage, absolute_uri

    storage = Storage(absolute_uri(db))
    if not storage.exists("terms.parquet"):
        raise UserError(f"{db} holds no terms.parquet: run `make search-terms` or vidal search-terms build")
    terms_by_keyword: dict[str, list[str]] = defaultdict(list)
    for row in storage.read_table("terms.parquet", ["term", "keywords"]).to_pylist():
        for keyword in row["keywords"]:
            terms_by_keyword[keyword].append(row["term"])
    table = Table("keyword", "terms", "such as")
    for keyword in sorted(terms_by_keyword, key=lambda key: (-len(terms_by_keyword[key]), key))[:top]:
        terms = terms_by_keyword[keyword]
        table.add_row(keyword, str(len(terms)), ", ".join(terms[:4]))
    show(table)
