"""Watches a process that reads untrusted media. Kills it if its resident memory exceeds the limit, or if it does not finish in time.

The limit on CPU seconds is not checked here: the kernel enforces it (RLIMIT_CPU). The kernel's limit on memory is not used, because it
counts the address space, including memory that is reserved and never touched.
"""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable

import psutil

from vidal.errors import RecordError
from vidal.media.settings import Limits
from vidal.schema import Reason

# Short enough that a process which fills its memory at 2 GB/s exceeds the limit by little.
POLL_S = 0.01
# The limit on CPU seconds bounds the work. These bound the wait for a process that hangs, and suffice on a busy machine.
_WAIT_S, _WAIT_PER_CPU_S = 600.0, 20.0


def resident_bytes(process: psutil.Process) -> int:
    """Returns the resident memory of a process; 0 if it has ended."""
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0


def cpu_seconds(process: psutil.Process) -> float:
    """Returns the CPU seconds that a process has used; 0 if it has ended."""
    try:
        times = process.cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.user + times.system)


def watch(process: subprocess.Popen[bytes], limits: Limits, is_done: Callable[[float], bool]) -> float:
    """Waits for a process to be done with its work, and kills it if it exceeds a limit.

    is_done: waits for at most the given number of seconds, and returns whether the work is done. Returns the CPU seconds of the process
    at the last measurement before the end of its work. Raises RecordError: too_costly, timeout.
    """
    observed = psutil.Process(process.pid)
    deadline = time.monotonic() + _WAIT_S + _WAIT_PER_CPU_S * limits.cpu_s
    used_s = 0.0
    while not is_done(POLL_S):
        used_s = max(used_s, cpu_seconds(observed))
        if resident_bytes(observed) > limits.memory_bytes:
            process.kill()
            raise memory_error(limits)
        if time.monotonic() > deadline:
            process.kill()
            raise RecordError(Reason.TIMEOUT, "the process that reads the file did not finish in time, and was killed")
    return used_s


def memory_error(limits: Limits) -> RecordError:
    return _cost_error(f"{limits.memory_bytes / 1e6:.0f} MB of memory", limits.memory_key)


def cpu_error(limits: Limits) -> RecordError:
    return _cost_error(f"{limits.cpu_s:g} CPU seconds for one operation", limits.cpu_key)


def _cost_error(cost: str, key: str | None) -> RecordError:
    return RecordError(Reason.TOO_COSTLY, f"the process needed more than {cost}" + (f": raise {key}" if key else ""))


def ended_error(returncode: int, limits: Limits) -> RecordError:
    """Returns the error for a process that ended in the middle of its work, by a signal or otherwise. returncode: as in subprocess."""
    if returncode == -signal.SIGXCPU:
        return cpu_error(limits)
    name = signal.Signals(-returncode).name if returncode < 0 else f"exit code {returncode}"
    return RecordError(Reason.CRASHED, f"the process that reads the file has crashed ({name})")
