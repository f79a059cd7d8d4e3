"""Runs functions that open untrusted media, in other processes with limited time and memory.

A process runs one function at a time. It is killed if a function exceeds the limits, because FFmpeg's libraries cannot be stopped in any
other way. It is replaced if it still uses much memory after a function, because FFmpeg does not return all of its memory.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from multiprocessing.connection import Pipe
from typing import ParamSpec, TypeVar, cast

import psutil

from vidal.errors import RecordError
from vidal.media.process_limits import ended_error, resident_bytes, watch
from vidal.media.settings import Limits

P = ParamSpec("P")
T = TypeVar("T")

# A process that keeps more than this between operations is replaced: memory that FFmpeg has fragmented is not returned.
_IDLE_BYTES = 300_000_000


def call(limits: Limits, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Returns function(*args, **kwargs), which another process computes. Safe to call from several threads.

    The function, its arguments and its result must be picklable. Raises what the function raises, and RecordError: too_costly, crashed,
    timeout.
    """
    with _POOL.borrow() as process:
        return cast(T, process.call(limits, pickle.dumps((limits, function, args, kwargs))))


class _Process:
    """A child process that runs vidal.media.limited_process. If the parent dies, the connection closes, and the child ends."""

    def __init__(self) -> None:
        self._connection, theirs = Pipe()
        command = [sys.executable, "-m", "vidal.media.limited_process", str(theirs.fileno())]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        self._process = subprocess.Popen(
            command, pass_fds=[theirs.fileno()], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        theirs.close()
        self._observed = psutil.Process(self._process.pid)

    def call(self, limits: Limits, request: bytes) -> object:
        """Runs a pickled function call in the child process, and returns its result.

        Raises what the function raises. Raises RecordError if the child process crashes, or is killed for using too much time or memory.
        If the wait for the result is interrupted, the child process is killed too.
        """
        try:
            self._connection.send_bytes(request)
            watch(self._process, limits, self._connection.poll)
            answer = self._connection.recv_bytes()
        except (EOFError, OSError):
            raise ended_error(self._process.wait(), limits) from None
        except BaseException:
            self.close()
            raise
        return _result(answer)

    def is_reusable(self) -> bool:
        return self._process.poll() is None and 0 < resident_bytes(self._observed) < _IDLE_BYTES

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._connection.close()


def _result(answer: bytes) -> object:
    """Returns the result that the child process sent, or raises the exception that it sent.

    The cause of the exception shows the child's traceback, unless the exception is a RecordError.
    """
    is_result, value, text = pickle.loads(answer)
    if is_result:
        return value
    raise value from (None if isinstance(value, RecordError) else RuntimeError(f"in another process:\n{text}"))


class _Pool:
    """Keeps idle processes to use them again. The number of processes that work at a time is limited to the number of CPUs."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Empties the pool, but does not end its processes.

        After a fork, the new process calls this on its copy of the pool. The processes in the pool belong to the process that forked.
        """
        self._idle: list[_Process] = []
        self._lock = threading.Lock()
        self._free = threading.BoundedSemaphore(os.cpu_count() or 1)

    @contextlib.contextmanager
    def borrow(self) -> Iterator[_Process]:
        with self._free:
            with self._lock:
                process = self._idle.pop() if self._idle else None
            process = process or _Process()
            try:
                yield process
            finally:
                self._give_back(process)

    def _give_back(self, process: _Process) -> None:
        if process.is_reusable():
            with self._lock:
                self._idle.append(process)
        else:
            process.close()

    def close(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for process in idle:
            process.close()


_POOL = _Pool()
atexit.register(_POOL.close)
os.register_at_fork(after_in_child=_POOL.forget)
