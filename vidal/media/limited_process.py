"""The process in which vidal.media.limited calls functions: python -m vidal.media.limited_process DESCRIPTOR.

DESCRIPTOR is the file descriptor of the connection to the parent, which sends requests and receives answers.
"""

from __future__ import annotations

import math
import pickle
import resource
import signal
import sys
import time
import traceback
from multiprocessing.connection import Connection

from vidal.media.budget import limited_to
from vidal.media.settings import Limits


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides what ends.
    with Connection(int(sys.argv[1])) as connection:
        try:
            while True:
                connection.send_bytes(_answer(connection.recv_bytes()))
        except (EOFError, OSError):
            return  # The parent has ended.


def _answer(request: bytes) -> bytes:
    """Calls the function that a request names, and returns the outcome, pickled.

    request: (limits, function, args, kwargs), pickled. The outcome is (True, result, ""), or (False, exception, traceback as text).
    """
    try:
        limits, function, args, kwargs = pickle.loads(request)
        _limit_cpu(limits)
        with limited_to(limits):
            return pickle.dumps((True, function(*args, **kwargs), ""), pickle.HIGHEST_PROTOCOL)
    except Exception as error:  # noqa: BLE001 - the parent raises it.
        return _pickled_error(error)


def _limit_cpu(limits: Limits) -> None:
    """Makes the kernel end this process once it has used limits.cpu_s more CPU seconds."""
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    soft = math.ceil(time.process_time() + limits.cpu_s)
    resource.setrlimit(resource.RLIMIT_CPU, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))


def _pickled_error(error: Exception) -> bytes:
    text = "".join(traceback.format_exception(error))
    try:
        data = pickle.dumps((False, error, text))
        pickle.loads(data)
    except Exception:  # noqa: BLE001 - an exception that cannot be pickled is sent as text.
        return pickle.dumps((False, RuntimeError(text), text))
    return data


if __name__ == "__main__":
    main()
