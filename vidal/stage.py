"""What a stage is, and how one runs over a part: every record ends in a row or in the ledger, a part commits by rename."""

from __future__ import annotations

import ast
import contextlib
import importlib.util
import json
import socket
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Protocol, runtime_checkable
from urllib.parse import urlsplit

import pyarrow as pa

from vidal import ids, ledger, reuse, schema
from vidal.config import Recipe
from vidal.errors import RecordError, RunEndedError
from vidal.reuse import Made
from vidal.schema import Reason, Status, Subject, View
from vidal.storage import Storage, part_name

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


def part_key(stage: Stage, recipe: Recipe, storage: Storage, part: Part) -> str:
    """Identity of a part's output: the stage's fingerprint and the content of what it reads."""
    inputs = [storage.metadata(f"{part_name(name, part.shard, part.index)}.parquet")["content"] for name in stage.reads]
    return ids.fingerprint([stage.fingerprint(recipe), inputs])


def is_done(stage: Stage, recipe: Recipe, storage: Storage, part: Part) -> bool:
    name = f"{part_name(stage.name, part.shard, part.index)}.parquet"
    if not storage.exists(name):
        return False
    found = storage.metadata(name)
    is_whole = found.get("quarantined") != "1" and found.get("awaiting", "0") == "0"
    return is_whole and found.get("key") == part_key(stage, recipe, storage, part)


def commit_part(
    storage: Storage,
    name: str,
    rows: list[Record],
    outcomes: list[Record],
    table_schema: pa.Schema,
    metadata: dict[str, str],
) -> None:
    """Ledger first, table last: a table that exists has its ledger."""
    table = schema.table(rows, table_schema)
    content = ids.sha256(_ipc(table))
    storage.write_table(f"{name}.ledger.parquet", schema.table(outcomes, schema.LEDGER))
    storage.write_table(f"{name}.parquet", table, {**metadata, "content": content, "rows": str(len(rows))})


def _ipc(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table.combine_chunks())
    return sink.getvalue().to_pybytes()


# Stages share a process, and libraries that load weights switch global state meanwhile: one model at a time.
_LOADING = threading.Lock()


class PartRunner:
    """Runs one stage in one worker process; opens its models at the first part that has work."""

    def __init__(self, stage: Stage, recipe: Recipe, runtime: Runtime):
        self.stage, self.recipe, self.runtime = stage, recipe, runtime
        self.storage = Storage(runtime.out)
        self._worker: Worker | None = None
        self._opening = threading.Lock()
        if stage.name in runtime.warm:
            threading.Thread(target=self._warm, daemon=True).start()

    def _warm(self) -> None:
        with contextlib.suppress(Exception):  # The first part opens it again, and there the error is recorded.
            self._open()

    def _open(self) -> Worker:
        with self._opening, _LOADING:
            if self._worker is None:
                self._worker = self.stage.open(self.recipe, self.runtime, self.storage)
            return self._worker

    def run(self, part: Part) -> None:
        """Does the part unless it is done: the records that are new or changed since it was last done.

        A bug fails the part after retries, and quarantines it.
        """
        if is_done(self.stage, self.recipe, self.storage, part):
            return
        records = list(self._records(part))
        name = part_name(self.stage.name, part.shard, part.index)
        fingerprint = self.stage.fingerprint(self.recipe)
        digests = reuse.digests(records, self.stage.key)
        before = reuse.stored(self.storage, name, self.stage.key, fingerprint)
        made = before.of(digests)
        metadata = {
            "key": part_key(self.stage, self.recipe, self.storage, part),
            **reuse.metadata(fingerprint, digests),
        }
        todo = [record for record in records if record[self.stage.key] not in made]
        journal = Journal(self.storage, f"{name}.trying.json", self.runtime.run_id)
        results, marks = self._try(todo, journal)
        made |= {record[self.stage.key]: result for record, result in zip(todo, results, strict=True)}
        in_order = [made[record[self.stage.key]] for record in records]
        rows = [row for each, _ in in_order for row in each]
        outcomes = [outcome for _, ledger_rows in in_order for outcome in ledger_rows]
        if any(outcome["transient"] for outcome in outcomes):
            self.runtime.check_alive()
        if any(ledger.is_awaiting(outcome) for outcome in outcomes):
            marks["awaiting"] = "1"
        self._spare(name, fingerprint, before.without(digests))
        commit_part(self.storage, name, rows, outcomes, self.stage.schema, {**metadata, **marks})
        journal.close()

    def _spare(self, name: str, fingerprint: str, left: reuse.Stored) -> None:
        """Keeps what was made of records that no longer arrive: a filter may let them through again."""
        if not left.made:
            return
        rows = [row for id_ in sorted(left.made) for row in left.made[id_][0]]
        outcomes = [row for id_ in sorted(left.made) for row in left.made[id_][1]]
        metadata = reuse.metadata(fingerprint, left.digests)
        commit_part(self.storage, reuse.spare_name(name), rows, outcomes, self.stage.schema, metadata)

    def _try(self, records: list[Record], journal: Journal) -> tuple[list[Made], dict[str, str]]:
        for attempt in range(1, self.recipe.engine.part_attempts + 1):
            try:
                return self._process(records, journal), {}
            except Exception:  # noqa: BLE001 - a bug: it is recorded with its traceback, and the run exits 1.
                if attempt == self.recipe.engine.part_attempts:
                    error = RecordError(Reason.QUARANTINED, traceback.format_exc(), attempts=attempt)
                    return [self._failed(record, error, 0.0) for record in records], {"quarantined": "1"}
        raise AssertionError("part_attempts is at least 1")

    def _records(self, part: Part) -> Iterator[Record]:
        first, *others = (
            self.storage.read_table(f"{part_name(name, part.shard, part.index)}.parquet").to_pylist()
            for name in self.stage.reads
        )
        joined = [{row["clip_id"]: row for row in rows} for rows in others]
        for row in first:
            matches = [rows.get(row[self.stage.key]) for rows in joined]
            if all(match is not None for match in matches):
                yield {key: value for found in [*matches, row] for key, value in (found or {}).items()}

    def _process(self, records: list[Record], journal: Journal) -> list[Made]:
        if not records:
            return []
        threads = 1 if journal.crashed else self.stage.concurrency(self.recipe)  # Alone, a record that kills is found.
        worker = self._worker or self._open()
        if isinstance(worker, Batched) and not journal.crashed:
            size = self.recipe.resources_of(self.stage.name).batch_size
            groups = batches(records, worker.size, size) if size else [[record] for record in records]
            return [done for group in groups for done in self._group(group, worker, journal)]
        if threads == 1:
            return [self._one(record, journal) for record in records]
        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(lambda record: self._one(record, journal), records))

    def _group(self, group: list[Record], worker: Batched, journal: Journal) -> list[Made]:
        """Records at once; where that fails, one by one, so that the guilty one alone is blamed."""
        if len(group) == 1:
            return [self._one(group[0], journal)]
        started = time.monotonic()
        try:
            with contextlib.ExitStack() as tried:
                for record in group:
                    tried.enter_context(journal.trying(record[self.stage.key]))
                results = worker.many(group)
        except Exception as error:  # noqa: BLE001 - alone, the record that it comes from raises it again.
            why = f"done alone: its batch failed: {type(error).__name__}: {error}"
        else:
            seconds = (time.monotonic() - started) / len(group)
            return [self._ended(record, result, seconds) for record, result in zip(group, results, strict=True)]
        # Not under `except`: the traceback would keep what the batch holds in memory.
        alone = [self._one(record, journal) for record in group]
        for outcome in (outcome for _, outcomes in alone for outcome in outcomes):
            outcome["detail"] = outcome["detail"] or why
        return alone

    def _one(self, record: Record, journal: Journal) -> Made:
        worker = self._worker or self._open()
        started = time.monotonic()
        key = record[self.stage.key]
        crashes = journal.crashes(key)
        if crashes > self.recipe.engine.record_crashes_max:
            error = RecordError(Reason.CRASHED, f"the worker died {crashes} times on this record", attempts=crashes)
            return self._failed(record, error, 0.0)
        with journal.trying(key):
            try:
                result = worker(record)
            except RecordError as error:
                return self._failed(record, error, time.monotonic() - started)
        return self._ended(record, result, time.monotonic() - started)

    def _ended(self, record: Record, result: Output | Drop, seconds: float) -> Made:
        if isinstance(result, Drop):
            return [], [self._outcome(record, Status.DROPPED, result.reason, result.detail, seconds=seconds)]
        outcomes = [self._view(record, view, seconds) for view in result.views]
        if self.stage.terminal:
            outcomes.append(
                self._outcome(record, Status.KEPT, Reason.OK, result.detail, attempts=result.attempts, seconds=seconds)
            )
        return result.rows, outcomes

    def _failed(self, record: Record, error: RecordError, seconds: float) -> Made:
        if self.stage.views is None or self.stage.empty is None:
            outcome = self._outcome(
                record,
                Status.FAILED,
                error.reason,
                error.detail,
                transient=error.transient,
                attempts=error.attempts,
                seconds=seconds,
            )
            return [], [outcome]
        how = (Status.FAILED, error.reason, error.detail, error.transient, error.attempts)
        views = (ViewOutcome(view, *how) for view in self.stage.views(record))
        return [self.stage.empty(record)], [self._view(record, view, seconds) for view in views]

    def _outcome(
        self,
        record: Record,
        status: Status,
        reason: Reason,
        detail: str,
        *,
        transient: bool = False,
        attempts: int = 1,
        seconds: float = 0.0,
    ) -> Record:
        parent = record["candidate_id"] if self.stage.subject is Subject.CLIP and "candidate_id" in record else None
        return ledger.row(
            self.stage.subject,
            record[self.stage.key],
            self.stage.name,
            status,
            reason,
            detail=detail,
            parent_id=parent,
            transient=transient,
            attempts=attempts,
            seconds=seconds,
        )

    def _view(self, record: Record, outcome: ViewOutcome, seconds: float) -> Record:
        return ledger.row(
            Subject.VIEW,
            f"{record['clip_id']}/{outcome.view.value}",
            self.stage.name,
            outcome.status,
            outcome.reason,
            detail=outcome.detail,
            parent_id=record["clip_id"],
            view=outcome.view,
            transient=outcome.transient,
            attempts=outcome.attempts,
            seconds=seconds,
        )


def batches(records: list[Record], size: Callable[[Record], int], limit: int) -> list[list[Record]]:
    """Neighbours whose sizes sum to the limit, at most; a record that is larger by itself stands alone."""
    found: list[list[Record]] = []
    room = 0
    for record in records:
        if not found or size(record) > room:
            found.append([])
            room = limit
        found[-1].append(record)
        room -= size(record)
    return found


class Journal:
    """Which records are being tried, in storage: a worker that dies leaves behind the name of what killed it.

    Only crashes within one run count: a user who stops a run blames no record.
    """

    def __init__(self, storage: Storage, name: str, run_id: str):
        self._storage, self._name, self._run_id = storage, name, run_id
        self.lock = threading.RLock()
        self._trying: set[str] = set()
        self._crashes = self._left_behind()

    def _left_behind(self) -> dict[str, int]:
        if not self._storage.exists(self._name):
            return {}
        left = json.loads(self._storage.read(self._name))
        if left["run_id"] != self._run_id:
            return {}
        crashes: dict[str, int] = left["crashes"]
        for key in left["trying"]:
            crashes[key] = crashes.get(key, 0) + 1
        return crashes

    @property
    def crashed(self) -> bool:
        return bool(self._crashes)

    def crashes(self, key: str) -> int:
        return self._crashes.get(key, 0)

    def trying(self, key: str) -> _Trying:
        return _Trying(self, key)

    def mark(self, key: str, begins: bool) -> None:
        with self.lock:
            (self._trying.add if begins else self._trying.discard)(key)
            if begins:
                state = {"run_id": self._run_id, "trying": sorted(self._trying), "crashes": self._crashes}
                self._storage.write(self._name, json.dumps(state).encode())

    def close(self) -> None:
        self._storage.remove(self._name)


@dataclass(frozen=True)
class _Trying:
    journal: Journal
    key: str

    def __enter__(self) -> None:
        self.journal.mark(self.key, begins=True)

    def __exit__(self, *_: object) -> None:
        self.journal.mark(self.key, begins=False)


def outcomes_of(storage: Storage, stages: Iterable[Stage], shard: int, parts: Iterable[int]) -> list[Record]:
    """All ledger rows that the stages wrote for a shard."""
    names = [part_name(stage.name, shard, part) for stage in stages for part in parts]
    return [row for name in names for row in storage.read_table(f"{name}.ledger.parquet").to_pylist()]
