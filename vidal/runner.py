"""How a stage runs over a part: every record ends in a row or in the ledger."""

from __future__ import annotations

import contextlib
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from vidal import ledger, reuse
from vidal.config import Recipe
from vidal.errors import RecordError
from vidal.parts import commit_part, is_done, part_key
from vidal.reuse import Made
from vidal.schema import Reason, Status, Subject
from vidal.stage import Batched, Drop, Output, Part, Record, Runtime, Stage, ViewOutcome, Worker
from vidal.storage import Storage, part_name
from vidal.trying import Journal

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
