"""The structure of the code in numbers: rooms, imports, functions, untyped rows, and what a new source, adapter or view touches.

`python -m benchmarks.structure [FOLDER] [--before FOLDER] [--verbose]` prints a Markdown table. It only reads `vidal/**/*.py`;
nothing is imported. How things are counted:

- Room: a folder directly under vidal/ that holds Python files, or a loose file at the root of vidal/ other than `__init__.py`.
- Import: an import statement anywhere in a file, those inside functions included and those under `if TYPE_CHECKING` left out.
  `from vidal.a import b` means the module vidal.a.b if there is one, else vidal.a.
- Cycle: a set of modules, each of which reaches all others of the set through imports.
- Arrow: a pair of rooms of which the first imports the second. `vidal/__init__.py` belongs to no room.
- Function: every `def`, nested ones and methods included; its lines are those from `def` to its end without its docstring.
- Untyped row: `dict[str, Any]` or `Mapping[str, Any]`, or the use of a name that some module defines as one of them.
- Places: files that contain the word, in any case, of one source, adapter and view that exist. A folder of its own counts once.
"""

from __future__ import annotations

import argparse
import ast
import re
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parent.parent
# A source, an adapter and a view that exist: what names them is what a new one would have to name.
PLACES = {"a source (freesound)": "freesound", "an adapter (munit)": "munit", "a view (infrared)": "infrared"}
# A view is a modality to these rooms: they train on it, judge it or hold its networks, and a new view does not need them.
MODALITY_ROOMS = ("models", "train", "evaluate", "estimators")
UNTYPED = re.compile(r"(dict|Mapping)\[str, Any\]")


@dataclass(frozen=True)
class Code:
    """The modules of one checkout. folder: the checkout, which holds vidal/."""

    folder: Path

    @cached_property
    def paths(self) -> dict[str, Path]:
        """The file of each module."""
        files = sorted((self.folder / "vidal").rglob("*.py"))
        return {module_name(path.relative_to(self.folder)): path for path in files if "ytdlp_plugin" not in path.parts}

    @cached_property
    def trees(self) -> dict[str, ast.Module]:
        return {module: ast.parse(path.read_text()) for module, path in self.paths.items()}

    @cached_property
    def imports(self) -> dict[str, set[str]]:
        """The modules of vidal that each module imports."""
        return {module: imported_modules(tree, self.trees.keys()) - {module} for module, tree in self.trees.items()}

    def room(self, module: str) -> str:
        return module.split(".")[1] if "." in module else ""


def module_name(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def run_time_nodes(node: ast.AST, *, into_functions: bool = True) -> Iterator[ast.AST]:
    """The node and all nodes below it, except what only a type checker reads and, on request, the bodies of functions."""
    yield node
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
            continue
        if not into_functions and isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        yield from run_time_nodes(child, into_functions=into_functions)


def imported_modules(tree: ast.AST, modules: object, *, into_functions: bool = True) -> set[str]:
    """The ones of the modules that a file imports, at its top level or, with into_functions, anywhere."""
    names: set[str] = set()
    for node in run_time_nodes(tree, into_functions=into_functions):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            submodules = [f"{node.module}.{alias.name}" for alias in node.names]
            names |= {name if name in modules else node.module for name in submodules}  # type: ignore[operator]
    return {name for name in names if name in modules}  # type: ignore[operator]


def cycles(imports: dict[str, set[str]]) -> list[list[str]]:
    """The groups of modules that import each other in a circle."""
    reachable = {module: reached_from(module, imports) for module in imports}
    groups = {frozenset({a, *(b for b in reachable[a] if a in reachable[b])}) for a in imports if a in reachable[a]}
    return sorted(sorted(group) for group in groups)


def reached_from(module: str, imports: dict[str, set[str]]) -> set[str]:
    reached: set[str] = set()
    waiting = [module]
    while waiting:
        new = imports[waiting.pop()] - reached
        reached |= new
        waiting += new
    return reached


def arrows(code: Code) -> list[tuple[str, str]]:
    pairs = {(code.room(module), code.room(name)) for module, names in code.imports.items() for name in names}
    return sorted((a, b) for a, b in pairs if a and b and a != b)


def function_lines(tree: ast.Module) -> list[int]:
    functions = [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    return [(node.end_lineno or node.lineno) - node.lineno + 1 - docstring_lines(node) for node in functions]


def docstring_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    if ast.get_docstring(node, clean=False) is None:
        return 0
    return (node.body[0].end_lineno or 0) - node.body[0].lineno + 1


def expressions(tree: ast.Module) -> Iterator[ast.expr]:
    """All expressions of a file, those inside quoted annotations included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.expr):
            yield node
            if (
                isinstance(node, ast.Constant)
                and isinstance(node.value, str)
                and "Any" in node.value
                and len(node.value) < 200
            ):
                try:
                    yield from (n for n in ast.walk(ast.parse(node.value, mode="eval")) if isinstance(n, ast.expr))
                except SyntaxError:
                    continue  # A sentence, not an annotation.


def count_any(tree: ast.Module) -> int:
    return sum(isinstance(node, ast.Name) and node.id == "Any" for node in expressions(tree))


def is_untyped_row(node: ast.AST | None) -> bool:
    return isinstance(node, ast.Subscript) and bool(UNTYPED.fullmatch(ast.unparse(node)))


def untyped_aliases(tree: ast.Module) -> set[str]:
    """The names that a module gives to dict[str, Any]."""
    nodes = (node for node in tree.body if isinstance(node, ast.Assign) and is_untyped_row(node.value))
    return {target.id for node in nodes for target in node.targets if isinstance(target, ast.Name)}


def count_untyped_rows(tree: ast.Module, aliases: set[str]) -> int:
    """aliases: the names that the modules of vidal give to dict[str, Any]; only those imported or defined here count."""
    imported = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    used = aliases & imported | untyped_aliases(tree)
    nodes = list(expressions(tree))
    names = sum(isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in used for node in nodes)
    return names + sum(is_untyped_row(node) for node in nodes)


def count_bare_dicts(tree: ast.Module) -> int:
    """Annotations that say `dict` and not of what: `rows: list[dict]`."""
    arguments = [
        node.annotation for node in ast.walk(tree) if isinstance(node, (ast.arg, ast.AnnAssign)) and node.annotation
    ]
    returns = [
        node.returns
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.returns
    ]
    return sum(len(re.findall(r"\bdict\b(?!\[)", ast.unparse(node))) for node in (*arguments, *returns))


def places(code: Code, word: str, *, without: tuple[str, ...] = ()) -> list[str]:
    """Files of vidal/ that contain the word; a folder that is named after it stands for the files in it."""
    names: set[str] = set()
    for module, path in code.paths.items():
        relative = path.relative_to(code.folder)
        if code.room(module) not in without and word in path.read_text().lower():
            own = next((parent for parent in relative.parents if parent.name == word), None)
            names.add(f"{own}/" if own else str(relative))
    return sorted(names)


def measure(code: Code) -> dict[str, tuple[str, list[str]]]:
    """Of each quantity its value as printed and what it was counted from, for --verbose."""
    folders = sorted(
        {code.room(m) for m, path in code.paths.items() if "." in m and path.parent != code.folder / "vidal"}
    )
    files = sorted(p.name for p in (code.folder / "vidal").glob("*.py") if p.name != "__init__.py")
    circles, between = cycles(code.imports), arrows(code)
    lines = sorted(count for tree in code.trees.values() for count in function_lines(tree))
    aliases = {name for tree in code.trees.values() for name in untyped_aliases(tree)}
    rows: dict[str, list[str]] = {
        "rooms": folders + files,
        "files at the root": files,
        "import cycles": [" <-> ".join(group) for group in circles],
        "arrows between rooms": [f"{a} -> {b}" for a, b in between],
    }
    values = {name: (f"{len(items)}", items) for name, items in rows.items()}
    values["functions"] = (f"{len(lines):,}", [])
    p90 = lines[int(0.9 * (len(lines) - 1))]
    values["lines of a function: median, p90, longest"] = (f"{statistics.median(lines):.0f}, {p90}, {lines[-1]}", [])
    counts = {module: count_untyped_rows(tree, aliases) for module, tree in code.trees.items()}
    values["`Any`"] = (f"{sum(map(count_any, code.trees.values()))}", [])
    values["untyped rows"] = (f"{sum(counts.values())}", [f"{n} {m}" for m, n in counts.items() if n])
    values["bare `dict` in annotations"] = (f"{sum(map(count_bare_dicts, code.trees.values()))}", [])
    for label, word in PLACES.items():
        values[f"places that name {label}"] = counted(places(code, word))
    view = places(code, "infrared", without=MODALITY_ROOMS)
    values[f"the same view, without {', '.join(MODALITY_ROOMS)}"] = counted(view)
    return values


def counted(items: list[str]) -> tuple[str, list[str]]:
    return f"{len(items)}", items


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT, help="a checkout; default: this one")
    parser.add_argument("--before", type=Path, metavar="FOLDER", help="another checkout, as a column before")
    parser.add_argument("--verbose", action="store_true", help="list what was counted")
    options = parser.parse_args()
    columns = {"before": options.before, "now": options.folder} if options.before else {"now": options.folder}
    measured = {title: measure(Code(folder.resolve())) for title, folder in columns.items()}
    print(f"| | {' | '.join(columns)} |\n|---|{'---|' * len(columns)}")
    for name in measured["now"]:
        print(f"| {name} | {' | '.join(values[name][0] for values in measured.values())} |")
    if options.verbose:
        for title, values in measured.items():
            for name, (value, items) in values.items():
                if items:
                    print(f"\n{title}: {name}: {value}")
                    print("\n".join(f"  {item}" for item in items))


if __name__ == "__main__":
    main()
