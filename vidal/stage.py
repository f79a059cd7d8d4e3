"""What a stage is: what it reads, what it gives, and what alters that."""

from __future__ import annotations

import ast
import importlib.util
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Protocol, runtime_checkable
from urllib.parse import urlsplit

import pyarrow as pa

from vidal import ids
from vidal.config import Recipe
from vidal.errors import RunEndedError
from vidal.schema import Reason, Status, Subject, View
from vidal.storage import Storage

Record = dict[str, Any]


@dataclass(frozen=True)
class Runtime:
    """What a worker must know of this run and what must not change its output.

    endpoints: addresses of services that live as long as the run, by name.
    warm: stages with work, whose models are worth loading before the first part arrives.
    board: the crawl's board (vidal.crawl.board.Board), where the whole cluster shares one.
    stored_only: no view is made in this run; a clip that lacks them waits.
    """

    out: str
    shard: int
    run_id: str
    allow_hosts: tuple[str, ...] = ()
    endpoints: dict[str, str] = field(default_factory=dict)
    warm: frozenset[str] = frozenset()
    board: Any = None
    stored_only: bool = False

    def check_alive(self) -> None:
        """Before a failure that may pass is recorded. Raises RunEndedError where the run's services are gone: so is its driver."""
        for name, url in self.endpoints.items():
            address = urlsplit(url)
            try:
                socket.create_connection((address.hostname, address.port or 80), timeout=10).close()
            except OSError as error:
                raise RunEndedError(f"{name} at {url}: {error}") from error


@dataclass(frozen=True)
class Part:
    """A reference: what travels through Ray in place of the rows."""

    shard: int
    index: int


@dataclass(frozen=True)
class Drop:
    """The record does not qualify: an outcome, not an error."""

    reason: Reason
    detail: str = ""


@dataclass(frozen=True)
class ViewOutcome:
    view: View
    status: Status
    reason: Reason = Reason.OK
    detail: str = ""
    transient: bool = False
    attempts: int = 1


@dataclass(frozen=True)
class Output:
    """rows: what goes on (a candidate may give several clips); views: outcomes of the views made here, of a clip."""

    rows: list[Record]
    views: tuple[ViewOutcome, ...] = ()
    attempts: int = 1
    detail: str = ""


Worker = Callable[[Record], "Output | Drop"]


@runtime_checkable
class Batched(Protocol):
    """A worker that can be given several records at once, and says of each what it would say of it alone."""

    def size(self, record: Record) -> int:
        """What the record takes of the recipe's resources.<stage>.batch_size."""

    def many(self, records: list[Record]) -> list[Output | Drop]: ...


@dataclass(frozen=True)
class Stage:
    """One step of the pipeline.

    reads: the stages whose tables it needs, the first gives the records, the others join by clip_id; a record
    that is missing in one of them does not arrive. views: what it alone makes; where it fails on a clip, it costs these
    views and not the clip. terminal: whether "kept" here is the subject's last word. settings: the part of the recipe
    that alters the output; code: modules that do, beside the stage's own.
    """

    name: str
    subject: Subject
    reads: tuple[str, ...]
    schema: pa.Schema
    open: Callable[[Recipe, Runtime, Storage], Worker]
    settings: Callable[[Recipe], Any]
    module: str
    code: tuple[str, ...] = ()
    views: Callable[[Record], tuple[View, ...]] | None = None
    empty: Callable[[Record], Record] | None = None
    terminal: bool = False
    concurrency: Callable[[Recipe], int] = lambda recipe: 1

    @property
    def key(self) -> str:
        return "candidate_id" if self.subject is Subject.CANDIDATE else "clip_id"

    def fingerprint(self, recipe: Recipe) -> str:
        """Changes when the recipe or the code could give another output from the same input."""
        settings = self.settings(recipe)
        dumped = settings.model_dump(mode="json") if hasattr(settings, "model_dump") else settings
        modules = ("vidal.schema", self.module, *self.code)
        return ids.fingerprint([self.name, dumped, [code_digest(module) for module in modules]])


@cache
def code_digest(module: str) -> str:
    """Hash of a module's code without comments, layout and docstrings: those cannot alter an output."""
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(module)
    tree = ast.parse(Path(spec.origin).read_bytes())
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and _is_docstring(body[0]):
            body[0] = ast.Pass()
    return ids.sha256(ast.dump(tree))


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
