"""What the documents point to exists: links, files, and names in files written as `vidal/ids.py::clip_id`."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from benchmarks.structure import ROOT

DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("*/README.md")])
LINK = re.compile(r"\]\(([^)#\s]*)(?:#([^)]*))?\)")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`((?:vidal|tests|benchmarks|pipelines|examples|search_terms)/[\w./-]*\w)(?:::(\w+))?`")


def anchors_of(path: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them: lower case, without punctuation, with hyphens for spaces."""
    headings = HEADING.findall(FENCED.sub("", path.read_text()))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def names_defined_in(path: Path) -> set[str]:
    return {node.name for node in ast.parse(path.read_text()).body if isinstance(node, (ast.ClassDef, ast.FunctionDef))}


def test_the_readme_stays_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) < 150


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_what_a_document_points_to_exists(document: Path) -> None:
    text = document.read_text()
    links = [(target, anchor) for target, anchor in LINK.findall(text) if "://" not in target]
    assert [target for target, _ in links if not (document.parent / target).exists()] == []
    pages = [(document.parent / target if target else document, anchor) for target, anchor in links if anchor]
    assert [f"{page.name}#{anchor}" for page, anchor in pages if anchor not in anchors_of(page)] == []
    named = CODE.findall(text)
    assert [path for path, _ in named if not (ROOT / path).exists()] == []
    assert [f"{path}::{name}" for path, name in named if name and name not in names_defined_in(ROOT / path)] == []
