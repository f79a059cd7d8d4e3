"""What code a definition reaches, as a digest of its tokens: the same on every Python, wherever the code stands.

Read statically, and never while a build runs. Followed are the names that a definition uses: of its module, imported from
another module of the package, attributes of such a module, methods of classes that its annotations name, and members of enums.
Comments, docstrings, layout, imports, the names of modules and the words of error messages do not count.
"""

from __future__ import annotations

import ast
import hashlib
import io
import keyword
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

_SKIPPED = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING,
            tokenize.ENDMARKER}  # fmt: skip
_FSTRING_START, _FSTRING_END = getattr(tokenize, "FSTRING_START", None), getattr(tokenize, "FSTRING_END", None)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
# A registry names what is locked by itself; a version is what the digest stands beside.
_UNCOUNTED_TYPES, _UNCOUNTED_NAMES = {"Registry"}, {"VERSION"}

Span = tuple[tuple[int, int], tuple[int, int]]


@dataclass(frozen=True)
class Reached:
    """A definition: its module, its name ("Class.member" for one that is reached alone), and its node."""

    module: str
    name: str


@dataclass
class Module:
    name: str
    source: str
    package: str
    # Names that stand for modules, and names taken from modules: ("vidal.models", "open_model").
    modules: dict[str, str] = field(default_factory=dict)
    names: dict[str, tuple[str, str]] = field(default_factory=dict)
    definitions: dict[str, ast.stmt] = field(default_factory=dict)

    @cached_property
    def tokens(self) -> list[tuple[int, str, tuple[int, int], tuple[int, int]]]:
        return list(_whole_strings(self.source))


def _whole_strings(source: str) -> Iterator[tuple[int, str, tuple[int, int], tuple[int, int]]]:
    """Tokens as (type, text, start, end). An f-string is one token, as it was before Python 3.12."""
    lines, depth, start = source.splitlines(keepends=True), 0, (0, 0)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == _FSTRING_START:
            depth += 1
            start = token.start if depth == 1 else start
        elif token.type == _FSTRING_END:
            depth -= 1
            if not depth:
                yield tokenize.STRING, _slice(lines, start, token.end), start, token.end
        elif not depth and token.type not in _SKIPPED:
            yield token.type, token.string, token.start, token.end


def _slice(lines: list[str], start: tuple[int, int], end: tuple[int, int]) -> str:
    if start[0] == end[0]:
        return lines[start[0] - 1][start[1] : end[1]]
    return "".join([lines[start[0] - 1][start[1] :], *lines[start[0] : end[0] - 1], lines[end[0] - 1][: end[1]]])


class Code:
    """The modules of a package below a folder, read when they are first asked for."""

    def __init__(self, root: Path, package: str = "vidal"):
        self._root, self._package = root, package
        self._modules: dict[str, Module | None] = {}
        self._texts: dict[Reached, str] = {}
        self._next: dict[Reached, list[Reached]] = {}

    def digest(self, roots: list[tuple[str, str]]) -> str:
        """roots: (module, definition). Hash of the tokens of everything that they reach, in no order."""
        texts = sorted({self._cached_text(each) for each in self.reach(roots)})
        return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]

    def reach(self, roots: list[tuple[str, str]]) -> set[Reached]:
        todo = [Reached(*root) for root in roots]
        done: set[Reached] = set()
        while todo:
            current = todo.pop()
            if current in done or self._node(current) is None:
                continue
            done.add(current)
            if current not in self._next:
                self._next[current] = self._references(current)
            todo += self._next[current]
        return done

    def _cached_text(self, reached: Reached) -> str:
        if reached not in self._texts:
            self._texts[reached] = self._text(reached)
        return self._texts[reached]

    def module(self, name: str) -> Module | None:
        if name not in self._modules:
            self._modules[name] = self._read(name)
        return self._modules[name]

    def _read(self, name: str) -> Module | None:
        parts = name.split(".")
        if parts[0] != self._package:
            return None
        base = self._root.joinpath(*parts)
        path = base.with_suffix(".py") if base.with_suffix(".py").is_file() else base / "__init__.py"
        if not path.is_file():
            return None
        source = path.read_text(encoding="utf-8")
        module = Module(name, source, name if path.name == "__init__.py" else name.rpartition(".")[0])
        tree = ast.parse(source)
        for node in ast.walk(tree):
            self._bind(module, node)
        for node in tree.body:
            for target in _targets(node):
                module.definitions[target] = node
        return module

    def _bind(self, module: Module, node: ast.AST) -> None:
        if isinstance(node, ast.Import):
            for alias in node.names:
                module.modules[alias.asname or alias.name.split(".")[0]] = alias.name
        elif isinstance(node, ast.ImportFrom):
            origin = node.module or ""
            if node.level:
                above = module.package.split(".")[: len(module.package.split(".")) - node.level + 1]
                origin = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                bound = alias.asname or alias.name
                if self.module(f"{origin}.{alias.name}") if origin.split(".")[0] == self._package else None:
                    module.modules[bound] = f"{origin}.{alias.name}"
                else:
                    module.names[bound] = (origin, alias.name)

    def _node(self, reached: Reached) -> ast.stmt | None:
        module = self.module(reached.module)
        if module is None:
            return None
        outer, _, member = reached.name.partition(".")
        node = module.definitions.get(outer)
        if not member or not isinstance(node, ast.ClassDef):
            return node
        return next((each for each in node.body if member in _targets(each)), None)

    def _resolve(self, module: Module, name: str) -> Reached | None:
        """Where a name is defined, through modules that only hand it on."""
        if name in module.definitions:
            return Reached(module.name, name)
        if name in module.names:
            origin, there = module.names[name]
            other = self.module(origin)
            return self._resolve(other, there) if other else None
        return None

    def _references(self, reached: Reached) -> list[Reached]:
        module, node = self.module(reached.module), self._node(reached)
        assert module is not None and node is not None
        if _is_uncounted(node):
            return []
        found: list[Reached | None] = []
        typed = [self._resolve(module, name) for name in _annotated(node)]
        attributes = {each.attr for each in ast.walk(node) if isinstance(each, ast.Attribute)}
        for used in _used(node):
            found += self._used(module, used)
        for each in typed:
            found += self._methods(each, attributes)
        return [each for each in found if each]

    def _used(self, module: Module, used: ast.expr) -> list[Reached | None]:
        if isinstance(used, ast.Name):
            return [self._resolve(module, used.id)]
        assert isinstance(used, ast.Attribute) and isinstance(used.value, ast.Name)
        if used.value.id in module.modules:
            other = self.module(module.modules[used.value.id])
            return [self._resolve(other, used.attr)] if other else []
        of = self._resolve(module, used.value.id)
        node = self._node(of) if of else None
        if of and isinstance(node, ast.ClassDef) and _is_enum(node):
            return [Reached(of.module, f"{of.name}.{used.attr}")]
        return [of]

    def _methods(self, of: Reached | None, attributes: set[str]) -> list[Reached | None]:
        """Of a class that an annotation names, and of its bases: the functions that the definition may call."""
        node = self._node(of) if of else None
        if of is None or not isinstance(node, ast.ClassDef):
            return []
        own = [each.name for each in node.body if isinstance(each, _FUNCTIONS) and each.name in attributes]
        module = self.module(of.module)
        bases = [self._resolve(module, base.id) for base in node.bases if isinstance(base, ast.Name)] if module else []
        inherited = [each for base in bases for each in self._methods(base, attributes)]
        return [*(Reached(of.module, f"{of.name}.{name}") for name in own), *inherited]

    def _text(self, reached: Reached) -> str:
        """Its tokens, one a line."""
        module, node = self.module(reached.module), self._node(reached)
        assert module is not None and node is not None
        if _is_uncounted(node):
            return ""
        start = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", []))])
        end = (node.end_lineno or node.lineno, node.end_col_offset or 0)
        inside = [t for t in module.tokens if (start, 0) <= t[2] and _before(t[3], end, module.source)]
        gaps = list(_gaps(node, module.source))
        texts = [(kind, text) for kind, text, at, _ in inside if not any(first <= at < last for first, last in gaps)]
        return "\n".join(_without_modules(list(_without_trailing_commas(texts)), module.modules, self._package))


def _before(at: tuple[int, int], end: tuple[int, int], source: str) -> bool:
    """ast counts bytes in a line, tokenize characters: only the line tells, where both are the last."""
    return at[0] < end[0] or (at[0] == end[0] and at[1] <= _characters(source, end))


def _characters(source: str, at: tuple[int, int]) -> int:
    return len(source.splitlines()[at[0] - 1].encode()[: at[1]].decode())


def _gaps(node: ast.AST, source: str) -> Iterator[Span]:
    """Docstrings, imports, the version of a stage and the words of error messages: they do not count."""
    for each in _uncounted(node):
        lines = (each.lineno, each.end_lineno or each.lineno)  # type: ignore[attr-defined]
        columns = (each.col_offset, each.end_col_offset or 0)  # type: ignore[attr-defined]
        yield (
            (lines[0], _characters(source, (lines[0], columns[0]))),
            (lines[1], _characters(source, (lines[1], columns[1]))),
        )


def _uncounted(node: ast.AST) -> Iterator[ast.AST]:
    for each in ast.walk(node):
        docstring = isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant) and _is_string(each.value)
        version = isinstance(each, ast.keyword) and each.arg == "version"
        if docstring or version or isinstance(each, (ast.Import, ast.ImportFrom)):
            yield each
        elif isinstance(each, ast.Raise) or (isinstance(each, ast.Call) and any(map(_is_reason, each.args))):
            yield from (inner for inner in ast.walk(each) if _is_string(inner))


def _is_string(node: ast.AST) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _is_reason(node: ast.expr) -> bool:
    """Reason.CRASHED: what stands beside it in a call is the message of a ledger row."""
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Reason"


def _without_trailing_commas(tokens: list[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """Whether a call stands on one line or on several is layout. The comma of a tuple of one stays."""
    commas: list[int] = []  # In each bracket that is open; a call's has one more, as its last comma is never needed.
    for index, (kind, text) in enumerate(tokens):
        if kind == tokenize.OP and text in "([{":
            before = tokens[index - 1] if index else (tokenize.OP, "")
            is_call = before[1] in (")", "]") or (before[0] == tokenize.NAME and not keyword.iskeyword(before[1]))
            commas.append(int(is_call or text != "("))
        elif kind == tokenize.OP and text in ")]}" and commas:
            commas.pop()
        elif kind == tokenize.OP and text == "," and commas:
            commas[-1] += 1
            follows = next((later for _, later in tokens[index:] if later != ","), "")
            if follows in (")", "]", "}") and commas[-1] > 1:
                continue
        yield kind, text


def _without_modules(tokens: list[tuple[int, str]], modules: dict[str, str], package: str) -> Iterator[str]:
    """Token texts without the names of modules: `ids.sha256` counts as `sha256`, "vidal.models.tags:Tags" as Tags."""
    index = 0
    while index < len(tokens):
        kind, text = tokens[index]
        follows = tokens[index + 1][1] if index + 1 < len(tokens) else ""
        if kind == tokenize.NAME and follows == "." and modules.get(text, "").split(".")[0] == package:
            index += 2
            continue
        yield _without_module_names(text, modules, package) if kind == tokenize.STRING else text
        index += 1


def _without_module_names(string: str, modules: dict[str, str], package: str) -> str:
    """Of a string literal: "vidal.models.tags:Tags" counts as Tags, and what an f-string evaluates as code does."""
    text = re.sub(rf"\b{package}(\.\w+)+:", "", string)
    if re.match(r"[rRbB]?[fF]", text):
        text = re.sub(r"\b(\w+)\.", lambda name: "" if name[1] in modules else name[0], text)
    return text


def _targets(node: ast.stmt) -> list[str]:
    if isinstance(node, (*_FUNCTIONS, ast.ClassDef)):
        return [node.name]
    if isinstance(node, ast.Assign):
        return [name.id for target in node.targets for name in ast.walk(target) if isinstance(name, ast.Name)]
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return [node.target.id]
    return []


def _is_uncounted(node: ast.stmt) -> bool:
    typed = isinstance(node, ast.AnnAssign) and ast.unparse(node.annotation) in _UNCOUNTED_TYPES
    return typed or bool(_UNCOUNTED_NAMES & set(_targets(node)))


def _is_enum(node: ast.ClassDef) -> bool:
    return any(isinstance(base, ast.Name) and base.id == "Enum" for base in node.bases)


def _annotations(node: ast.AST) -> Iterator[ast.expr]:
    for each in ast.walk(node):
        if isinstance(each, _FUNCTIONS) and each.returns:
            yield each.returns
        if isinstance(each, (ast.arg, ast.AnnAssign)) and each.annotation:
            yield each.annotation


def _annotated(node: ast.AST) -> set[str]:
    return {name.id for each in _annotations(node) for name in ast.walk(each) if isinstance(name, ast.Name)}


def _used(node: ast.AST) -> Iterator[ast.expr]:
    """Names and `name.attribute` that the definition evaluates, annotations apart."""
    skipped = {id(inner) for each in _annotations(node) for inner in ast.walk(each)}
    inner: set[int] = set()
    for each in ast.walk(node):
        if id(each) in skipped:
            continue
        if isinstance(each, ast.Attribute) and isinstance(each.value, ast.Name):
            inner.add(id(each.value))
            yield each
        elif isinstance(each, ast.Name) and id(each) not in inner and isinstance(each.ctx, ast.Load):
            yield each
