"""Every name that tests, benchmarks and vidal import from each other exists, also where a function imports it that runs seldom."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.conftest import ROOT

FOLDERS = ("vidal", "tests", "benchmarks", "docs", "examples", "pipelines")


def file_of(module: str) -> Path | None:
    """The file of one of our modules, or None."""
    path = ROOT / module.replace(".", "/")
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


@cache
def bound_names(path: Path) -> frozenset[str]:
    """The names that a file binds at its top level, also within a condition or a try there."""
    return frozenset(_bound(ast.parse(path.read_text()).body))


def _bound(statements: list[ast.stmt]) -> Iterator[str]:
    for node in statements:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from ((alias.asname or alias.name).partition(".")[0] for alias in node.names)
        else:
            yield from (name.id for name in ast.walk(node) if isinstance(name, ast.Name))
            for block in ("body", "orelse", "handlers", "finalbody"):
                for inner in getattr(node, block, []):
                    yield from _bound(inner.body if isinstance(inner, ast.ExceptHandler) else [inner])


def missing_names(source: str) -> list[str]:
    """What the source of a file imports from our modules that does not exist."""
    missing = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.ImportFrom) or not node.module or node.level:
            continue
        if node.module.partition(".")[0] not in FOLDERS:
            continue
        path = file_of(node.module)
        if path is None and not (ROOT / node.module.replace(".", "/")).is_dir():
            missing.append(node.module)
            continue
        names = bound_names(path) if path else frozenset()
        if "__getattr__" in names:
            continue
        submodules = (f"{node.module}.{alias.name}" for alias in node.names if alias.name not in names)
        missing += [name for name in submodules if file_of(name) is None]
    return missing


def test_every_imported_name_exists() -> None:
    files = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
    missing = {str(path.relative_to(ROOT)): names for path in files if (names := missing_names(path.read_text()))}
    assert missing == {} and len(files) > 300


def test_a_name_that_a_function_imports_is_looked_up_too() -> None:
    source = "def f():\n    from tests.conftest import vidal, no_such_name\n    from vidal.no_such_room import a\n"
    assert missing_names(source) == ["tests.conftest.no_such_name", "vidal.no_such_room"]
