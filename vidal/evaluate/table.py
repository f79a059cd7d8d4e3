"""The four tables of the paper: the numbers that are reported, beside ours where they were measured."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from rich.table import Table

from vidal.errors import UserError
from vidal.evaluate.benchmark import TEXT, Measured

RESULTS = "evaluations.json"
DASH = "-"
Results = Mapping[str, Mapping[str, Any]]


def key(task: str, seen: str, told: str) -> str:
    """Of a result. The order of joined modalities is of no matter."""
    return f"{task}: {'+'.join(sorted(seen.split('+')))} -> {'+'.join(sorted(told.split('+')))}"


def read_results(path: Path) -> dict[str, Any]:
    """Raises UserError for a file that holds none."""
    if not path.exists():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(found, dict):
            raise ValueError("no JSON object")
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: {error}: move it away; it is written anew") from error
    return found


def record(path: Path, task: str, measured: Measured) -> None:
    """Beside those of other tasks; a task measured again replaces its numbers."""
    results = read_results(path) | {key(task, measured.seen, measured.told): asdict(measured)}
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.tmp")
    aside.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    aside.replace(path)


def tables(ours: Results) -> Iterator[Table]:
    """ours: as read_results gives it. A number measured on a part of the benchmark has a star."""
    for each in yaml.safe_load((files("vidal.evaluate") / "reported.yaml").read_text(encoding="utf-8"))["tables"]:
        table = Table("", *each["systems"], "ours", title=each["title"])
        for place, column in enumerate(each["columns"]):
            values = (system[place] for system in each["systems"].values())
            reported = (DASH if value is None else f"{value:.1f}" for value in values)
            table.add_row(column["name"], *reported, _ours(column, ours))
        yield table


def _ours(column: Mapping[str, str], ours: Results) -> str:
    found = ours.get(key(column["task"], column["seen"], column.get("told", TEXT)))
    if found is None or column["metric"] not in found["metrics"]:
        return DASH
    part = "*" if found["missing"] or found["unreadable"] else ""
    return f"{100 * found['metrics'][column['metric']]:.1f}{part}"
