"""Runs a stage over a part. Every record ends as a row for the next stage or as an outcome in the ledger."""

from __future__ import annotations

import contextlib
import errno
import logging
import threading
import time
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import tenacity

from vidal.config.recipe import Recipe
from vidal.errors import FATAL, PutBack, RecordError, StageError, StorageError, VidalError
from vidal.models.device import is_out_of_memory
from vidal.models.loading import loading, using
from vidal.models.once import KeyedLocks
from vidal.pipeline import incremental, ledger
from vidal.pipeline.batches import batches
from vidal.pipeline.crash_journal import CrashJournal
from vidal.pipeline.incremental import Result
from vidal.pipeline.logs import LOGGER, log_context
from vidal.pipeline.meter import CPU_METER, Meter
from vidal.pipeline.observed import Observe, ignore, work_of
from vidal.pipeline.parts import commit_part, is_current, read_inputs, stored_metadata
from vidal.pipeline.process import Process, process
from vidal.pipeline.recent_tables import RECENT
from vidal.pipeline.results import failure_of, quarantined, result_of
from vidal.pipeline.stage import Batched, Part, Runtime, Stage, Waiting, Worker
from vidal.pipeline.turns import Turn
from vidal.pipeline.work_queue import WorkQueue, process_in_turn
from vidal.records import LedgerRow, Row
from vidal.schema import Reason
from vidal.storage import layout
from vidal.storage.answer_store import SHARDS_AT_ONCE, PartAnswers
from vidal.storage.cleaned import cleaned_clips
from vidal.storage.media_store import MediaStore, TarStore
from vidal.storage.storage import Storage

# The journal's key for the loading of the stage's models, which is not a record.
_OPENING = "(opening)"
# Errors of the machine that mean that the dataset cannot be written, wherever in a worker they are raised.
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}


class PartRunner:
    """Runs one stage in one worker process. Its models and threads live as long as the runner.

    Safe to call from several threads: it works on as many parts at a time as the stage allows.
    """

    def __init__(
        self,
        stage: Stage,
        recipe: Recipe,
        runtime: Runtime,
        observe: Observe = ignore,
        shared: Process | None = None,
    ):
        """observe: called with the PartWork of each part.

        shared: the Process that this runner shares with other runners. If it is None, the runner creates a Process of its own.
        """
        self.stage, self.recipe, self.runtime, self._observe = stage, recipe, runtime, observe
        self.storage = Storage(runtime.out, fetch_archives=True)
        self._written_meter = Meter(lambda: self.storage.bytes_written)
        self.storage.answers = self._answers = PartAnswers(self.storage, stage.name)
        self._worker: Worker | None = None
        self._opening, self._opening_queue = KeyedLocks(), threading.Lock()
        self._queue: WorkQueue | None = None
        parts_at_once = stage.parts_at_once(recipe)
        self._shared, self._room = shared or process(parts_at_once), threading.Semaphore(parts_at_once)
        self._stored_names: dict[int, set[str]] = {}

    def __enter__(self) -> PartRunner:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the threads, and releases the models and everything that the worker holds open."""
        if self._queue:
            self._queue.close()
        if close := getattr(self._worker, "close", None):
            close()
        self._queue = self._worker = None

    def warm(self) -> None:
        """Loads the models of the stage before its first part arrives, if this run has records for the stage.

        An error is ignored here; the first part raises it again.
        """
        if self.stage.name in self.runtime.warm:
            with contextlib.suppress(Exception):
                self._open()

    def _open(self) -> Worker:
        self._opening.acquire(None)
        try:
            if self._worker is None:
                with loading():
                    self._worker = self.stage.open(self.recipe, self.runtime, self.storage)
            return self._worker
        finally:
            self._opening.release(None)

    def run(self, part: Part) -> None:
        """Processes those records of the part that are new, have changed since the last run, or are to be tried again.

        Raises StorageError if the part still cannot be read or written after several attempts with back-off; UserError if the stage
        cannot be opened; StageError if opening the stage has killed the process too often; RunEndedError if the driver of the run is
        gone.
        """
        engine = self.recipe.engine
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(StorageError),
            stop=tenacity.stop_after_attempt(engine.part_attempts),
            wait=tenacity.wait_exponential(multiplier=engine.part_backoff_s, max=60.0),
            reraise=True,
        )
        with log_context(run=self.runtime.run_id[:8], shard=part.shard, part=part.index, stage=self.stage.name):
            for attempt in retrying:
                with attempt, self._room, self._shared.turns.take() as turn:
                    self._run(part, turn, is_first=attempt.retry_state.attempt_number == 1)

    def _run(self, part: Part, turn: Turn, is_first: bool) -> None:
        name = layout.part(self.stage.name, part.shard, part.index)
        may_be_stored = not is_first or _file_of(name) in self._names_of(part.shard)
        before = stored_metadata(self.stage, self.storage, part) if may_be_stored else None
        if before is not None and is_current(before, self.stage, self.recipe, self.storage, part):
            LOGGER.info("was done before")
            return
        started = time.monotonic()
        # The identity of the tables as read here: another process may replace them before this part is committed.
        tables, inputs = read_inputs(self.stage, self.storage, part, self.runtime.run_id)
        records = list(self._join(tables))
        digests = incremental.digests(records, self.stage.key)
        stored = self._stored(name, before)
        results = stored.unchanged(digests)
        todo = [record for record in records if record[self.stage.key] not in results]
        with contextlib.ExitStack() as stack:
            journal = stack.enter_context(self._journal(part, todo))
            media = stack.enter_context(self._media(part))
            meters = (CPU_METER, self._shared.gpu_meter, self._written_meter)
            cpu, gpu, written = (stack.enter_context(meter.part()) for meter in meters)
            if journal.crashed:
                turn.be_alone()
            with self._answers.part(part.shard, part.index):
                done = self._process(part.shard, todo, journal)
            results |= {record[self.stage.key]: result for record, result in zip(todo, done, strict=True)}
            in_order = [results[record[self.stage.key]] for record in records]
            rows = [row for result_rows, _ in in_order for row in result_rows]
            outcomes = [outcome for _, result_outcomes in in_order for outcome in result_outcomes]
            if any(outcome["transient"] for outcome in outcomes):
                self.runtime.check_alive()
            absent = stored.without(digests)
            with _storing(name):
                media.commit([*rows, *absent.rows])
            metadata = {"inputs": inputs, **incremental.metadata(stored.identity, digests), **_marks(outcomes)}
            self._retain(name, absent)
            with _storing(name):
                cpu_s = cpu.used()
                cost = {"records": str(len(todo)), "cpu_s": f"{cpu_s:.3f}", "gpu_s": f"{gpu.used():.3f}"}
                table = commit_part(self.storage, name, rows, outcomes, self.stage.schema, metadata, cost)
                bytes_written = int(written.used())
        RECENT.keep(self.storage, f"{name}.parquet", self.runtime.run_id, table)
        self._names_of(part.shard).add(_file_of(name))
        seconds = time.monotonic() - started
        self._observe(work_of(self.stage, done, seconds, cpu_s, bytes_written))
        _log_part(len(todo), rows, outcomes, seconds)

    def _names_of(self, shard: int) -> set[str]:
        """Returns the names of the stored files of this stage and shard.

        They are listed once for all parts of the shard, to save requests. Later changes by other workers are not included.
        """
        if shard not in self._stored_names:
            folder = layout.stage_folder(self.stage.name, shard)
            names = set() if shard in self.runtime.new_shards else set(self.storage.names(folder))
            self._stored_names.setdefault(shard, names)
            for other in list(self._stored_names)[:-SHARDS_AT_ONCE]:
                self._stored_names.pop(other, None)
        return self._stored_names.setdefault(shard, set())

    @contextlib.contextmanager
    def _journal(self, part: Part, todo: list[Row]) -> Iterator[CrashJournal]:
        """Yields the crash journal of a part. It is only written if there are records to process (todo).

        On a disk, the journal is removed when the part is finished. On an object store, the commit of the shard removes it.
        """
        name = layout.part_journal(self.stage.name, part.shard, part.index)
        journal = CrashJournal(self.storage, name, self.runtime.run_id)
        if todo:
            journal.begin(record[self.stage.key] for record in todo)
        try:
            yield journal
        except BaseException:
            journal.close()
            raise
        if todo and self.storage.is_local:
            journal.close()

    def _stored(self, name: str, before: dict[str, str] | None) -> incremental.Stored:
        """Returns the results that may be reused. before: metadata of the stored part; None if nothing is stored."""
        identity = self.stage.identity(self.recipe)
        if before is None:
            return incremental.Stored(identity, {}, {})
        return incremental.stored(self.storage, name, self.stage.key, identity, self.recipe.engine.keep_stale)

    @contextlib.contextmanager
    def _media(self, part: Part) -> Iterator[MediaStore]:
        """Yields the store that the worker writes the media of this part to."""
        if self.recipe.storage.media != "tar":
            yield self.storage.media
            return
        with contextlib.closing(TarStore(self.storage, part.index)) as media, self.storage.writing_media_to(media):
            yield media

    def _retain(self, name: str, absent: incremental.Stored) -> None:
        """Stores the results of records that no longer reach this stage (absent). If such a record returns, its result can be reused."""
        if not absent.results:
            return
        outcomes = [row for id_ in sorted(absent.results) for row in absent.results[id_][1]]
        metadata = incremental.metadata(absent.identity, absent.digests)
        with _storing(name):
            commit_part(self.storage, layout.retained(name), absent.rows, outcomes, self.stage.schema, metadata)

    def _join(self, tables: list[pa.Table]) -> Iterator[Row]:
        """Yields the records of the first table, with the columns of the other tables. A record that another table lacks is left out."""
        first, *others = (table.to_pylist() for table in tables)
        joined = [{row["clip_id"]: row for row in rows} for rows in others]
        for row in first:
            matches = [rows.get(row[self.stage.key]) for rows in joined]
            if all(match is not None for match in matches):
                yield {key: value for table_row in [*matches, row] for key, value in (table_row or {}).items()}

    def _process(self, shard: int, records: list[Row], journal: CrashJournal) -> list[Result]:
        if not records:
            return []
        try:
            worker = self._worker or self._open_journalled(journal)
        except FATAL:
            raise
        except Exception as error:  # noqa: BLE001 - a model that does not load fails its records, each with the traceback.
            return [failure_of(self.stage, record, quarantined(error), 0.0) for record in records]
        if isinstance(worker, Batched) and not journal.crashed:
            size = self.recipe.resources_of(self.stage.name).batch_size
            groups = batches(records, worker.size, size) if size else [[record] for record in records]
            return [result for group in groups for result in self._group(shard, group, worker, journal)]

        def work(record: Row) -> Result:
            return self._one(shard, record, worker, journal)

        # After a crash, records are processed one at a time, so that the record that kills the process is found.
        is_threaded = self.stage.concurrency(self.recipe) > 1 and not journal.crashed
        return self._open_queue().process_all(work, records) if is_threaded else process_in_turn(work, records)

    def _open_queue(self) -> WorkQueue:
        with self._opening_queue:
            self._queue = self._queue or WorkQueue(self.stage.concurrency(self.recipe), self.stage.name)
            return self._queue

    def _open_journalled(self, journal: CrashJournal) -> Worker:
        """Opens the stage, which loads its models. Raises StageError if too many earlier processes died while they did this."""
        crashes = journal.crashes(_OPENING)
        if crashes > self.recipe.engine.record_crashes_max:
            raise StageError(
                f"the process died {crashes} times while stage {self.stage.name} loaded its models: "
                "if memory is short, use fewer workers or smaller models"
            )
        with journal.trying(_OPENING):
            return self._open()

    def _group(self, shard: int, group: list[Row], worker: Any, journal: CrashJournal) -> list[Result]:
        """Processes a group of records with one call of a Batched worker. If the call fails, processes smaller groups.

        If the group did not fit the memory of a GPU, it is halved. After any other failure, the records are processed one by one. Then
        only the faulty records fail. An outcome without a detail of its own gets the error of the failed call as its detail.
        """
        if len(group) == 1:
            return [self._one(shard, group[0], worker, journal)]
        started = time.monotonic()
        try:
            with contextlib.ExitStack() as stack:
                for record in group:
                    stack.enter_context(journal.trying(record[self.stage.key]))
                stack.enter_context(using())
                results = worker.many(group)
        except FATAL:
            raise
        except Exception as error:  # noqa: BLE001 - the faulty record raises it again when it is processed alone.
            is_too_large = is_out_of_memory(error)
            how = "done in half a batch" if is_too_large else "done alone"
            why = f"{how}: its batch failed: {type(error).__name__}: {error}"
        else:
            seconds = (time.monotonic() - started) / len(group)
            return [
                result_of(self.stage, record, result, seconds) for record, result in zip(group, results, strict=True)
            ]
        # Not under `except`: the traceback would keep the data of the batch in memory.
        size = -(-len(group) // 2) if is_too_large else 1
        smaller = [group[start : start + size] for start in range(0, len(group), size)]
        results_apart = [result for part in smaller for result in self._group(shard, part, worker, journal)]
        for outcome in (outcome for _, outcomes in results_apart for outcome in outcomes):
            outcome["detail"] = outcome["detail"] or ledger.clean_detail(why)
        return results_apart

    def _one(self, shard: int, record: Row, worker: Worker, journal: CrashJournal) -> Result:
        """Processes one record. If the worker raises an exception, the record is recorded as failed.

        Some exceptions are raised instead: PutBack if the record has to wait for a host, StorageError if the disk is full or read-only,
        and those in FATAL, which end the run.
        """
        started = time.monotonic()
        key = record[self.stage.key]
        crashes = journal.crashes(key)
        if crashes > self.recipe.engine.record_crashes_max:
            error = RecordError(Reason.CRASHED, f"the worker died {crashes} times on this record", attempts=crashes)
            return failure_of(self.stage, record, error, 0.0)
        try:
            with journal.trying(key), using():
                result = worker.attempt(record) if isinstance(worker, Waiting) else worker(record)
        except PutBack:
            raise
        except RecordError as error:
            return failure_of(self.stage, record, error, time.monotonic() - started)
        except FATAL:
            raise
        except Exception as error:
            if isinstance(error, FileNotFoundError) and key in cleaned_clips(self.storage, shard):
                gone = RecordError(
                    Reason.AWAITING_MEDIA,
                    "the media were deleted: run vidal retry OUT --class awaiting_media to fetch them again",
                )
                return failure_of(self.stage, record, gone, time.monotonic() - started)
            if isinstance(error, OSError) and error.errno in _FULL:
                raise StorageError(
                    f"stage {self.stage.name} cannot write its files: {error}: check the space and the permissions of the disk"
                ) from error
            return failure_of(self.stage, record, quarantined(error), time.monotonic() - started)
        return result_of(self.stage, record, result, time.monotonic() - started)


def _file_of(name: str) -> str:
    """Returns the file name of a part's table, without its folders. name: the folders and the name of the part."""
    return f"{name.rpartition('/')[2]}.parquet"


def _log_part(computed: int, rows: list[Row], outcomes: list[LedgerRow], seconds: float) -> None:
    LOGGER.info("%d records in %.1f s: %d rows, %d outcomes", computed, seconds, len(rows), len(outcomes))
    for outcome in outcomes:
        is_bug = outcome["reason"] == Reason.QUARANTINED.value
        level = logging.WARNING if is_bug else logging.DEBUG
        LOGGER.log(level, "%s %s: %s %s", outcome["id"], outcome["status"], outcome["reason"], outcome["detail"][-500:])


def _marks(outcomes: list[LedgerRow]) -> dict[str, str]:
    """Returns two counts for the metadata of a part: of the quarantined outcomes, and of the outcomes that need more work.

    More work is needed for views that are not computed yet, or that failed transiently. If one of the counts is not zero, the next run
    works on the part again.
    """
    quarantined = sum(outcome["reason"] == Reason.QUARANTINED.value for outcome in outcomes)
    awaiting = sum(ledger.is_awaiting(outcome) for outcome in outcomes)
    return {"quarantined": str(quarantined), "awaiting": str(awaiting)}


@contextlib.contextmanager
def _storing(name: str) -> Iterator[None]:
    """Turns any failure to store a part into a StorageError, so that the part is tried again."""
    try:
        yield
    except VidalError:
        raise
    except Exception as error:
        raise StorageError(
            f"the table or the media of {name} cannot be written: {type(error).__name__}: {error}"
        ) from error
