"""The library's log: every line names its run, shard, part and stage, whichever process wrote it.

Nothing is shown unless it is asked for by `--verbose`, by `--log-json`, or by a handler of the user's own on the logger "vidal".
Workers in other processes forward their records if the recipe sets engine.log_level, see vidal.pipeline.executors.ray.
"""

from __future__ import annotations

import contextlib
import json
import logging
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timezone
from types import MappingProxyType
from typing import Any

LOGGER = logging.getLogger("vidal")
LOGGER.addHandler(logging.NullHandler())
FIELDS = ("run", "shard", "part", "stage")
_context: ContextVar[Mapping[str, Any]] = ContextVar("vidal_log_context", default=MappingProxyType({}))


@contextlib.contextmanager
def log_context(**fields: Any) -> Iterator[None]:
    """Adds fields (run, shard, part, stage) to every record that this thread logs inside the context."""
    token = _context.set({**_context.get(), **fields})
    try:
        yield
    finally:
        _context.reset(token)


class _AddContext(logging.Filter):
    """Adds the fields of `log_context` to a record. A record from another process keeps the fields that it has."""

    def filter(self, record: logging.LogRecord) -> bool:
        for name in FIELDS:
            if not hasattr(record, name):
                setattr(record, name, _context.get().get(name))
        return True


LOGGER.addFilter(_AddContext())


class _TextFormatter(logging.Formatter):
    """Formats a record like this: 09:41:16 INFO run 1f0c shard 0 part 3 captions: 32 records in 4.1 s."""

    def format(self, record: logging.LogRecord) -> str:
        fields = {name: getattr(record, name, None) for name in FIELDS}
        known = [f"{name} {fields[name]}" for name in ("run", "shard", "part") if fields[name] is not None]
        where = " ".join([*known, *([str(fields["stage"])] if fields["stage"] else [])])
        time = datetime.fromtimestamp(record.created).strftime("%H:%M:%S")
        return f"{time} {record.levelname} {where}{': ' if where else ''}{record.getMessage()}"


class _JsonFormatter(logging.Formatter):
    """Formats a record as a JSON object on one line: time (UTC, ISO 8601), level, run, shard, part, stage, message."""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, timezone.utc).isoformat()
        fields = {name: getattr(record, name, None) for name in FIELDS}
        return json.dumps({"time": time, "level": record.levelname, **fields, "message": record.getMessage()})


def show_log(level: str, as_json: bool) -> None:
    """Writes the log to standard error, from now on. level: "info" or "debug"."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonFormatter() if as_json else _TextFormatter())
    LOGGER.handlers = [handler]
    LOGGER.setLevel(level.upper())


@dataclass(frozen=True)
class SentRecord:
    """A log record that can be sent to another process. created: seconds since 1970; place: run, shard, part and stage."""

    level: int
    message: str
    created: float
    place: dict[str, object]


class _Forward(logging.Handler):
    """Passes each record on, in a form that can be sent to another process."""

    def __init__(self, send: Callable[[SentRecord], object]):
        super().__init__()
        self._send = send

    def emit(self, record: logging.LogRecord) -> None:
        fields = {name: getattr(record, name, None) for name in FIELDS}
        self._send(SentRecord(record.levelno, record.getMessage(), record.created, fields))


def forward_log(level: str, send: Callable[[SentRecord], object]) -> None:
    """Makes this process, a worker, pass its log records to `send`, which takes them to the driver. level: "info" or "debug"."""
    LOGGER.handlers = [_Forward(send)]
    LOGGER.setLevel(level.upper())


def replay(fields: SentRecord) -> None:
    """Logs a record that another process has sent."""
    record = logging.LogRecord("vidal", fields.level, "", 0, fields.message, None, None)
    record.created = fields.created
    for name in FIELDS:
        setattr(record, name, fields.place[name])
    if LOGGER.isEnabledFor(record.levelno):
        LOGGER.handle(record)


class LogRelay:
    """Keeps the records that workers send until the driver fetches them."""

    def __init__(self) -> None:
        self._records: list[SentRecord] = []
        self._lock = threading.Lock()

    def send(self, fields: SentRecord) -> None:
        with self._lock:
            self._records.append(fields)

    def fetch(self) -> list[SentRecord]:
        with self._lock:
            records, self._records = self._records, []
        return records
