"""Formats the tables of results as Markdown and as csv. Both give a reason for each dash, which stands for a missing number."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from vidal.evaluate.table import DASH, Column, ReportedTable


def markdown(tables: Sequence[ReportedTable]) -> str:
    """Returns the tables as Markdown, one system per row. A footnote gives the reason for each dash; equal reasons share a footnote."""
    notes: dict[str, int] = {}
    parts = [_markdown_table(table, notes) for table in tables]
    footnotes = [f"[^{number}]: {reason}" for reason, number in notes.items()]
    return "\n".join([*parts, *footnotes]) + "\n"


def _markdown_table(table: ReportedTable, notes: dict[str, int]) -> str:
    labels = table.metrics.heading[1:]
    head = ["system", *labels, *table.metrics.cells]
    rows = [[*_labels(column, table), *_footnoted(column, notes)] for column in table.columns]
    lines = [f"### {table.title}", "", _line(head), _line(["---"] * len(head)), *map(_line, rows), ""]
    return "\n".join([*lines, "; ".join(table.legend()), ""])


def _labels(column: Column, table: ReportedTable) -> list[str]:
    """Returns the first cells of the row of a system: its name, and what is known about it.

    An unknown cell is "not stated" for a system of the paper, and empty for a system measured here.
    """
    unknown = "not stated" if any(column is each for each in table.systems) else ""
    return [unknown if line == DASH else line for line in column.heading]


def _footnoted(column: Column, notes: dict[str, int]) -> list[str]:
    numbers = [None if reason is None else notes.setdefault(reason, len(notes) + 1) for reason in column.reasons]
    return [
        cell if number is None else f"{cell}[^{number}]" for cell, number in zip(column.cells, numbers, strict=True)
    ]


def _line(cells: Sequence[str]) -> str:
    escaped = [cell.replace("|", "\\|") for cell in cells]
    return f"| {' | '.join(escaped)} |"


def csv_text(tables: Sequence[ReportedTable]) -> str:
    """Returns csv with the columns table, system, metric, value and reason. Each line holds one cell of a table.

    If the cell is a dash, the line has a reason and no value. If it is not a dash, the line has a value and no reason.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["table", "system", "metric", "value", "reason"])
    for table in tables:
        for column in table.columns:
            for metric, cell, reason in zip(table.metrics.cells, column.cells, column.reasons, strict=True):
                value = cell if reason is None else ""
                writer.writerow([table.title, " ".join(column.heading), metric, value, reason or ""])
    return out.getvalue()
