"""The paper's tables are complete: each number of a list that stands apart is printed in its place, and no other number is."""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from tests.support import benchmark_layouts as layouts
from vidal.errors import UserError
from vidal.evaluate.table import DASH, Possible, key, read_results, tables
from vidal.evaluate.table_formats import csv_text, markdown

LIST = Path(__file__).with_name("reported_numbers.tsv")
Cell = tuple[str, str, str, str]  # Title of the table, heading of the system, name of the metric, value.


def printed(width: int, ours: dict[str, Any] | None = None, here: Possible | None = None) -> str:
    console = Console(width=width, highlight=False, markup=False)
    with console.capture() as capture:
        for table in tables(ours or {}, here):
            console.print(table)
    return capture.get()


def cells(text: str) -> Iterator[Cell]:
    """Read off the drawing, as a person reads it: title above, heading in heavy lines, rows in light ones."""
    title: list[str] = []
    headings: dict[int, list[str]] = defaultdict(list)
    for line in text.splitlines():
        columns = [cell.strip() for cell in line.replace("┃", "│").split("│")[1:-1]]
        if line.startswith("┏"):
            headings.clear()
        elif line.startswith("┃"):
            for place, cell in enumerate(columns):
                headings[place].append(cell)
        elif line.startswith("│"):
            metric, *values = columns
            for place, value in enumerate(values, start=1):
                yield " ".join(title), " ".join(headings[place]), metric, value
        elif not line or line.startswith("└"):
            title = []
        elif not line.startswith(("┡", "├")):
            title.append(line.strip())


def listed() -> list[Cell]:
    rows = (line.split("\t") for line in LIST.read_text(encoding="utf-8").splitlines() if not line.startswith("#"))
    return sorted((title, system, metric, value) for title, system, metric, value in rows)


@pytest.mark.parametrize("width", [200, 160, 80])
def test_each_number_of_the_paper_is_printed_once_in_its_place_and_no_other(width: int) -> None:
    text = printed(width)
    reported = (cell for cell in cells(text) if not cell[1].startswith("ours") and cell[3] != DASH)
    assert sorted(reported) == listed()
    assert max(map(len, text.splitlines())) <= width
    assert (text.count("┏") == 6) == (width >= 160), "at 160 columns each of the six tables stands in one piece"


def test_a_legend_explains_each_mark_of_its_table() -> None:
    legends = [part.splitlines()[-1] for part in printed(200).split("\n\n")[:6]]
    assert legends[0] == "* full tuning; † Huge"
    assert "MR median rank" in legends[1]
    assert legends[2] == legends[3] == "(…) full tuning"
    assert "* unclear whether on videos with sound only" in legends[4] and "(+…) gain" in legends[4]


def test_ours_stands_last_a_rank_is_no_percentage_and_a_part_is_marked() -> None:
    whole = {"metrics": {"text_to_query/R@1": 0.4567, "text_to_query/median_rank": 3.5}, "missing": 0, "unreadable": 0}
    ours = {
        key("msrvtt", "video", "text"): whole,
        key("nyu", "depth", "text"): {"metrics": {"top1": 0.5}, "missing": 1, "unreadable": 0},
        key("esc50", "audio", "text"): {"metrics": {"top1": 0.5}, "missing": 0, "unreadable": 0, "is_validation": True},
    }
    text = printed(200, ours)
    values = {(title, metric): value for title, heading, metric, value in cells(text) if heading.startswith("ours")}
    assert values["Zero-shot video-text retrieval, text to video", "MSR-VTT R@1"] == "45.7"
    assert values["Value of the data, text to video", "MSR-VTT MR"] == "3.5"
    assert values["Zero-shot X-language classification, top-1 (AS-A mAP)", "NYU-D"] == "50.0‡"
    assert values["Zero-shot X-language classification, top-1 (AS-A mAP)", "K400"] == DASH
    assert text.count("‡ measured on a part of the benchmark") == 2, (
        "classification and joint modalities have this number"
    )
    assert values["Zero-shot X-language classification, top-1 (AS-A mAP)", "ESC-50"] == "50.0★"
    assert "★ measured on the validation split" in text
    assert "‡" not in printed(200) and "★" not in printed(200)


def test_each_dash_of_the_markdown_has_a_footnote_that_says_why() -> None:
    text = markdown(list(tables({})))
    defined = dict(re.findall(r"^\[\^(\d+)\]: (.+)$", text, re.MULTILINE))
    body = text[: text.index("[^1]: ")]
    used = set(re.findall(r"\[\^(\d+)\]", body))
    assert used == defined.keys() and "ours: no encoder is named: give --checkpoint" in defined.values()
    rows = [line.strip("| ").split(" | ") for line in body.splitlines() if line.startswith("|") and "---" not in line]
    assert len(rows) == 6 + 10 + 2 + 3 + 4 + 2 + 2 + 6
    assert not [row for row in rows if DASH in row]
    numbers = {value for *_, value in listed()}
    assert all(f"| {number} " in body for number in numbers)


@pytest.mark.parametrize("situation", ["without an encoder", "without data", "with data", "with a result"])
def test_every_dash_of_the_markdown_says_why_it_is_one(tmp_path: Path, situation: str) -> None:
    """Over all cells: a dash of a system of the paper names the system, and ours what is lacking or the command that measures it."""
    layouts.clotho(tmp_path / "clotho")
    data = None if situation in ("without an encoder", "without data") else tmp_path
    here = Possible(None if situation == "without an encoder" else frozenset({"audio", "video"}), data)
    result = {"metrics": {"text_to_query/R@1": 0.5}, "missing": 0, "unreadable": 0}
    results = {key("clotho", "audio", "text"): result} if situation == "with a result" else {}
    reported = list(tables(results, here))
    text = markdown(reported)
    reasons = dict(re.findall(r"^\[\^(\d+)\]: (.+)$", text, re.MULTILINE))
    rows = [
        line[2:-2].split(" | ")
        for line in text.splitlines()
        if line.startswith("| ") and not line.startswith("| system")
    ]
    columns = [(table, column) for table in reported for column in table.columns]
    drawn = [
        (row, column, table)
        for row, (table, column) in zip([row for row in rows if "---" not in row], columns, strict=True)
    ]
    dashes = [(cell, column, table, place) for row, column, table in drawn
              for place, cell in enumerate(row[len(column.heading) :]) if column.cells[place].startswith(DASH)]  # fmt: skip
    assert len(dashes) == sum(len(column.cells) for _, column in columns) - len(listed()) - len(results)
    for cell, column, table, place in dashes:
        number = re.fullmatch(r"-○?\[\^(\d+)\]", cell)
        assert number, (table.title, column.heading, cell)
        reason = reasons[number[1]]
        if column is not table.ours:
            assert reason == f"{column.heading[0]}: no number is reported for this benchmark"
        elif situation == "without an encoder":
            assert reason == "ours: no encoder is named: give --checkpoint"
        else:
            task = table.tasks[place]
            known = (f"--task {task} ", "no tower for ", f"the files of {task} are not named", f"{tmp_path / task}")
            assert reason.startswith("ours: ") and any(each in reason for each in known), reason


def test_the_csv_has_a_line_for_each_cell_and_a_reason_for_each_dash() -> None:
    rows = list(csv.DictReader(csv_text(list(tables({}))).splitlines()))
    reported = sorted((row["table"], row["system"], row["metric"], row["value"]) for row in rows if row["value"])
    assert reported == listed()
    assert all(row["reason"] for row in rows if not row["value"])


def test_what_can_be_measured_here_is_marked_and_what_is_lacking_is_named(tmp_path: Path) -> None:
    layouts.clotho(tmp_path / "clotho")
    here = Possible(frozenset({"audio", "image"}), tmp_path)
    rows = list(csv.DictReader(csv_text(list(tables({}, here))).splitlines()))
    ours = {
        (row["task"] if "task" in row else row["metric"]): row["reason"] for row in rows if row["system"][:4] == "ours"
    }
    assert ours["Clotho R@1"] == "ours: not measured yet: vidal evaluate --task clotho --query audio --target text"
    assert f"{tmp_path / 'esc50'} is not a folder" in ours["ESC-50"]
    assert "no tower for video" in ours["MSR-VTT R@1"] and "no tower for depth and infrared" in ours["LLVIP D+I->RGB"]
    cells_of = {
        (title, metric): value
        for title, heading, metric, value in cells(printed(200, here=here))
        if heading[:4] == "ours"
    }
    assert cells_of["Zero-shot audio-language retrieval, text to audio", "Clotho R@1"] == "-○"


@pytest.mark.parametrize("text", ["[]", '{"a": 1}', '{"a": {}}', '{"a": {"metrics": 3}}', "{"])
def test_another_file_of_results_is_refused_by_its_name(tmp_path: Path, text: str) -> None:
    (tmp_path / "r.json").write_text(text)
    with pytest.raises(UserError, match=r"r\.json holds no results"):
        read_results(tmp_path / "r.json")
