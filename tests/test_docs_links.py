"""What the documents point to exists: links, files, and names in files written as `vidal/ids.py::clip_id`."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from benchmarks.structure import ROOT

DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
CODE = re.compile(r"`((?:vidal|tests|benchmarks|pipelines|examples|search_terms)/[\w./-]*\w)(?:::(\w+))?`")


def names_defined_in(path: Path) -> set[str]:
    return {node.name for node in ast.parse(path.read_text()).body if isinstance(node, (ast.ClassDef, ast.FunctionDef))}


def test_the_readme_stays_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) < 150


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_what_a_document_points_to_exists(document: Path) -> None:
    text = document.read_text()
    links = [target for target in LINK.findall(text) if "://" not in target]
    assert [target for target in links if not (document.parent / target).exists()] == []
    named = CODE.findall(text)
    assert [path for path, _ in named if not (ROOT / path).exists()] == []
    assert [f"{path}::{name}" for path, name in named if name and name not in names_defined_in(ROOT / path)] == []
