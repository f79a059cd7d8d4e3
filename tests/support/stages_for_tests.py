"""Stages that fail in the ways the engine must survive. Real processes die here."""

from __future__ import annotations

import errno
import os
import signal
import time
from pathlib import Path

import pyarrow as pa

from vidal import schema
from vidal.config.loading import load_recipe
from vidal.config.recipe import Recipe
from vidal.errors import RecordError, UserError
from vidal.pipeline.parts import commit_part
from vidal.pipeline.stage import Drop, Output, Part, Record, Runtime, Stage, Worker
from vidal.schema import Reason, Subject
from vidal.storage import layout
from vidal.storage.storage import Storage

TABLE = pa.schema([("clip_id", pa.string()), ("value", pa.int64())])


def recipe(**engine: int | str) -> Recipe:
    return load_recipe("embedded", tuple(f"engine.{key}={value}" for key, value in engine.items()))


def seed_parts(out: str, parts: int, size: int) -> list[Part]:
    """Parts of candidates c0, c1, ... as discovery leaves them."""
    storage = Storage(out)
    for index in range(parts):
        rows = [{"candidate_id": f"c{index * size + i}", "shard": 0} for i in range(size)]
        commit_part(storage, layout.part("discover", 0, index), rows, [], schema.CANDIDATES, {})
    return [Part(0, index) for index in range(parts)]


def _log(storage: Storage, text: str) -> None:
    with open(Path(storage.root) / "calls.log", "a", encoding="utf-8") as file:
        file.write(f"{text}\n")


def _first(recipe: Recipe, runtime: Runtime, storage: Storage) -> Worker:
    def work(row: Record) -> Output | Drop:
        name = row["candidate_id"]
        _log(storage, f"first {name}")
        if name == "c1":
            return Drop(Reason.TOO_LONG, "by rule")
        if name == "c2":
            raise RecordError(Reason.HTTP_404, "gone", attempts=2)
        return Output([{"clip_id": f"{name}-clip", "value": int(name[1:])}])

    return work


def _killer(recipe: Recipe, runtime: Runtime, storage: Storage) -> Worker:
    def work(row: Record) -> Output:
        if row["clip_id"] == "c5-clip":
            os.kill(os.getpid(), signal.SIGKILL)
        return Output([{"clip_id": row["clip_id"], "value": row["value"] * 10}])

    return work


def _crowded(recipe: Recipe, runtime: Runtime, storage: Storage) -> Worker:
    def work(row: Record) -> Output:
        time.sleep(0.1)  # So that records of several parts are at work when one of them kills the process.
        if row["candidate_id"] == "c5":
            os.kill(os.getpid(), signal.SIGKILL)
        return Output([{"clip_id": f"{row['candidate_id']}-clip", "value": 1}])

    return work


def _crowded_next(recipe: Recipe, runtime: Runtime, storage: Storage) -> Worker:
    def work(row: Record) -> Output:
        time.sleep(0.05)
        if row["clip_id"] == "c9-clip":
            os.kill(os.getpid(), signal.SIGKILL)
        return Output([{"clip_id": row["clip_id"], "value": 2}])

    return work


def _spread(recipe: Recipe, runtime: Runtime, storage: Storage) -> Worker:
    def work(row: Record) -> Output:
        time.sleep(0.2)
        return Output([{"clip_id": f"{row['candidate_id']}-clip", "value": os.getpid()}])

    return work


def _buggy(recipe: Recipe, runtime: Runtime, storage: Storage) -> Worker:
    def work(row: Record) -> Output:
        _log(storage, f"buggy {row['clip_id']}")
        if row["value"] == 4:
            raise ZeroDivisionError("a bug")
        return Output([{"clip_id": row["clip_id"], "value": row["value"] + 1}])

    return work


def _counted(recipe: Recipe, runtime: Runtime, storage: Storage) -> Worker:
    def work(row: Record) -> Output:
        _log(storage, f"counted {row['clip_id']}")
        return Output([{"clip_id": row["clip_id"], "value": row["value"] + 1}])

    return work


def _odd(recipe: Recipe, runtime: Runtime, storage: Storage) -> Worker:
    def work(row: Record) -> Output:
        name = row["candidate_id"]
        value = 10**30 if name == "c2" else 1
        return Output([{"clip_id": "c1-\ud800 cat" if name == "c1" else f"{name}-clip", "value": value}])

    return work


def _full(recipe: Recipe, runtime: Runtime, storage: Storage) -> Worker:
    def work(row: Record) -> Output:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    return work


def _unopened(recipe: Recipe, runtime: Runtime, storage: Storage) -> Worker:
    raise UserError("there are no weights here")


def _deadly(recipe: Recipe, runtime: Runtime, storage: Storage) -> Worker:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("it lives")


def _stage(name: str, subject: Subject, reads: tuple[str, ...], opens, **more) -> Stage:
    return Stage(name=name, version=1, subject=subject, reads=reads, schema=TABLE, open=opens,
                 settings=lambda r: r.keyframes, **more)  # fmt: skip


FIRST = _stage("first", Subject.CANDIDATE, ("discover",), _first, terminal=True)
KILLER = _stage("killer", Subject.CLIP, ("first",), _killer)
BUGGY = _stage("buggy", Subject.CLIP, ("first",), _buggy)
COUNTED = _stage("counted", Subject.CLIP, ("first",), _counted)
UNOPENED = _stage("unopened", Subject.CANDIDATE, ("discover",), _unopened, terminal=True)
ODD = _stage("odd", Subject.CANDIDATE, ("discover",), _odd, terminal=True)
FULL = _stage("full", Subject.CANDIDATE, ("discover",), _full, terminal=True)
CROWDED = _stage("crowded", Subject.CANDIDATE, ("discover",), _crowded, terminal=True,
                 concurrency=lambda r: 4, parts_at_once=lambda r: 4)  # fmt: skip
CROWDED_NEXT = _stage("crowded_next", Subject.CLIP, ("crowded",), _crowded_next, terminal=True)
SPREAD = _stage("spread", Subject.CANDIDATE, ("discover",), _spread, terminal=True)
DEADLY = _stage("deadly", Subject.CANDIDATE, ("discover",), _deadly, terminal=True)
