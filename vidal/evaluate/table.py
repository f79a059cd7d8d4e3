"""The tables of LanguageBind's paper (Zhu et al. 2024): the reported numbers and, beside them, those that were measured here."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import TypedDict

import yaml
from rich.console import Console, ConsoleOptions
from rich.table import Table
from rich.text import Text

from vidal.errors import UserError
from vidal.evaluate.benchmark import TEXT, Measured

RESULTS = "evaluations.json"
OURS = "ours"
DASH = "-"
# Marks of the numbers that were measured here; the asterisk and the dagger are the paper's marks.
PARTIAL, VALIDATION, POSSIBLE = "‡", "★", "○"


_MARKS = {
    PARTIAL: "measured on a part of the benchmark",
    VALIDATION: "measured on the validation split",
    POSSIBLE: "can be measured here",
}


class _Mark(TypedDict, total=False):
    """The keys that a stored result may lack: earlier releases did not write is_validation."""

    is_validation: bool


class StoredResult(_Mark):
    """One result in a file of results, a dict with the fields of vidal.evaluate.benchmark.Measured."""

    query: str
    target: str
    metrics: dict[str, float]
    samples: int
    missing: int
    unreadable: int


Results = Mapping[str, StoredResult]


def key(task: str, query: str, target: str) -> str:
    """Returns the key of a result in a file of results.

    query, target: modalities, joined by "+" if there are several. "image+audio" and "audio+image" have the same key.
    """
    return f"{task}: {'+'.join(sorted(query.split('+')))} -> {'+'.join(sorted(target.split('+')))}"


def read_results(path: Path) -> dict[str, StoredResult]:
    """Reads a file of results; returns {} if it does not exist. Raises UserError if it is not a JSON object."""
    if not path.exists():
        return {}
    try:
        results = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(results, dict) or not all(_is_result(each) for each in results.values()):
            raise ValueError('it must be a JSON object of results, each with the key "metrics"')
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path} holds no results ({error}): move the file away, and a new one will be written"
        ) from error
    return {task: _with_new_names(result) for task, result in results.items()}


def _is_result(value: object) -> bool:
    return isinstance(value, dict) and isinstance(value.get("metrics"), dict)


def _with_new_names(result: StoredResult) -> StoredResult:
    """Returns a result with today's names of metrics. The first release wrote "seen" for "query" and "told" for "target"."""
    metrics = {
        name.replace("seen", "query").replace("told", "target"): value for name, value in result["metrics"].items()
    }
    return {**result, "metrics": metrics}


def record(path: Path, task: str, measured: Measured) -> None:
    """Adds a result to the file of results. It replaces an earlier result of the same task, query and target."""
    results = read_results(path) | {key(task, measured.query, measured.target): asdict(measured)}
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.tmp")
    aside.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    aside.replace(path)


def tables(
    ours: Results,
    here: Possible | None = None,
    title: str = OURS,
    beside: Mapping[str, Results] | None = None,
) -> Iterator[ReportedTable]:
    """Yields the tables of the paper, with columns for results that were measured here.

    ours: the results of the user's encoder. title: the heading of their column. here: the user's encoder and data. A missing number
    that can be measured with these gets a mark. beside: the results of other encoders, by the headings of their columns.
    """
    here = here or Possible()
    for table in yaml.safe_load((files("vidal.evaluate") / "reported.yaml").read_text(encoding="utf-8"))["tables"]:
        labels = [name for name in table["systems"][0] if name not in ("name", "values")]
        columns, dashes = table["columns"], [DASH for _ in labels]
        yield ReportedTable(
            title=table["title"],
            metrics=Column.of(["", *labels], [(column["name"], None) for column in columns]),
            systems=[_system(system, labels) for system in table["systems"]],
            beside=[
                Column.of([name, *dashes], [_measured(column, results, f"{name}: not measured") for column in columns])
                for name, results in (beside or {}).items()
            ],
            ours=Column.of([title, *dashes], [_ours(column, ours, here, title) for column in columns]),
            tasks=[column["task"] for column in columns],
            notes=table["notes"],
        )


@dataclass(frozen=True)
class Possible:
    """What can be measured with the user's encoder and data.

    modalities: the modalities of the encoder; None without an encoder. data: a folder that contains a folder for each task.
    """

    modalities: frozenset[str] | None = None
    data: Path | None = None

    def why_not(self, task: str, query: str, target: str) -> str | None:
        """Returns why a result cannot be measured, and what the user can do to make it possible; None if it can be measured.

        query, target: the modalities of the two sides of the task; "+" joins several.
        """
        if self.modalities is None:
            return "no encoder is named: give --checkpoint"
        lacking = sorted({*query.split("+"), *target.split("+")} - self.modalities - {TEXT})
        if lacking:
            return (
                f"the encoder has no tower for {' and '.join(lacking)}: add an encoder for it with another --checkpoint"
            )
        if self.data is None:
            return f"the files of {task} are not named: give --data, a folder that holds a folder {task}"
        return _why_unreadable(task, self.data / task, query, target)


def _why_unreadable(task: str, folder: Path, query: str, target: str) -> str | None:
    """Returns why a benchmark cannot be measured with the files in a folder; None if it can. The media are not decoded."""
    from vidal.evaluate.benchmarks import TASKS
    from vidal.evaluate.measure import require

    try:
        require(TASKS[task].read(folder).with_modalities(query, target), query, target, skip_missing=True)
    except UserError as error:
        return str(error)
    return None


@dataclass(frozen=True)
class Column:
    """A column of a table: the results of a system, or the names of the metrics.

    heading: the lines of the heading; all columns have the same number of lines. cells: one per metric. reasons: for each cell, why it is
    a dash; None if it is not a dash.
    """

    heading: list[str]
    cells: list[str]
    reasons: list[str | None]

    @classmethod
    def of(cls, heading: list[str], cells: list[tuple[str, str | None]]) -> Column:
        """Returns a column. cells: pairs of a text and, if the text is a dash, the reason for it."""
        return cls(heading, [text for text, _ in cells], [reason for _, reason in cells])

    @property
    def width(self) -> int:
        """The width on the console in characters, with a space before the text and a border after it."""
        return max(map(len, [*self.heading, *self.cells])) + 2


@dataclass(frozen=True)
class ReportedTable:
    """A table with one row per metric and one column per system; `ours` is the last column.

    If the console is too narrow for all systems, they are printed in several tables, one below the other, each with all metrics.
    tasks: the task of each metric. A line separates the metrics of different tasks.
    """

    title: str
    metrics: Column
    systems: list[Column]
    beside: list[Column]
    ours: Column
    tasks: list[str]
    notes: list[str]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Table | Text]:
        for systems in self._fitting(options.max_width):
            yield self._table(systems)
        yield Text("; ".join(self.legend()) + "\n")

    @property
    def columns(self) -> list[Column]:
        """The columns in order: first the systems of the paper, then the other encoders that were measured here, and last `ours`."""
        return [*self.systems, *self.beside, self.ours]

    def legend(self) -> list[str]:
        """Returns the meanings of the marks in the table, and its notes."""
        cells = [cell for column in (*self.beside, self.ours) for cell in column.cells]
        used = [f"{mark} {meaning}" for mark, meaning in _MARKS.items() if any(mark in cell for cell in cells)]
        return [*self.notes, *used]

    def _fitting(self, width: int) -> Iterator[list[Column]]:
        """Splits the columns of results into groups, one for each table to print. width: the largest width of a table, in characters."""
        group: list[Column] = []
        for system in self.columns:
            if group and 1 + sum(column.width for column in [self.metrics, *group, system]) > width:
                yield group
                group = []
            group.append(system)
        yield group

    def _table(self, systems: list[Column]) -> Table:
        columns = [self.metrics, *systems]
        # Without a space after the text, all systems fit into 160 columns.
        table = Table(*("\n".join(column.heading) for column in columns), title=self.title, padding=(0, 0, 0, 1))
        for row, cells in enumerate(zip(*(column.cells for column in columns), strict=True)):
            table.add_row(*cells, end_section=row in self._last_of_tasks())
        return table

    def _last_of_tasks(self) -> set[int]:
        """Returns the indices of the rows after which a line separates two tasks; empty if every task has only one row."""
        if len(set(self.tasks)) == len(self.tasks):
            return set()
        return {row for row, (task, following) in enumerate(pairwise(self.tasks)) if task != following}


def _system(system: Mapping[str, object], labels: list[str]) -> Column:
    heading = [str(system["name"]), *(str(system[label] or DASH) for label in labels)]
    values = system["values"]
    why = f"{heading[0]}: no number is reported for this benchmark"
    return Column.of(heading, [_printed(value, why) for value in values] if isinstance(values, list) else [])


def _printed(value: float | str | None, why: str) -> tuple[str, str | None]:
    if value is None:
        return DASH, why
    return (value if isinstance(value, str) else f"{value:.1f}"), None


def _ours(column: Mapping[str, str], ours: Results, here: Possible, title: str) -> tuple[str, str | None]:
    task, query, target = column["task"], column["query"], column.get("target", TEXT)
    text, reason = _measured(column, ours, "")
    if reason is None:
        return text, None
    why_not = here.why_not(task, query, target)
    command = f"vidal evaluate --task {task} --query {query} --target {target}"
    return (DASH, f"{title}: {why_not}") if why_not else (DASH + POSSIBLE, f"{title}: not measured yet: {command}")


def _measured(column: Mapping[str, str], results: Results, why: str) -> tuple[str, str | None]:
    """Returns (the stored result as it is printed, None). If no result is stored, returns (a dash, `why`)."""
    result = results.get(key(column["task"], column["query"], column.get("target", TEXT)))
    if result is None or column["metric"] not in result["metrics"]:
        return DASH, why
    value = result["metrics"][column["metric"]] * (1 if column["metric"].endswith("_rank") else 100)
    is_partial = bool(result["missing"] or result["unreadable"])
    return f"{value:.1f}{PARTIAL * is_partial}{VALIDATION * result.get('is_validation', False)}", None
