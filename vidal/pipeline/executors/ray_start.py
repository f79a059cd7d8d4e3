"""Starts Ray on this machine, or joins the cluster that RAY_ADDRESS names. Ray's own start-up messages are suppressed."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import sys
import tempfile
from collections.abc import Iterator

import ray

from vidal.models.threads import usable_cores


def start(object_store_mb: int, cpus: float) -> None:
    """Starts Ray on this machine, or joins the cluster that RAY_ADDRESS names.

    cpus: how many CPUs the pipeline holds at once. On this machine, Ray is started with at least this number of CPUs.
    """
    options: dict[str, object] = {"log_to_driver": False, "logging_level": logging.WARNING}
    if not os.environ.get("RAY_ADDRESS"):
        # "local": a cluster that someone else runs on this machine is joined only if RAY_ADDRESS asks for it.
        options |= {"address": "local", "include_dashboard": False, "object_store_memory": object_store_mb * 2**20}
        # Ray only counts CPUs, and binds no process to one. With fewer than `cpus`, a pool would wait for ever for a CPU.
        options["num_cpus"] = max(usable_cores(), math.ceil(cpus))
        # Ray's default is 15. A build with this niceness makes almost no progress beside two busy processes.
        os.environ.setdefault("RAY_worker_niceness", "0")
    # Ray itself keeps the arguments of its actors alive, and warns about them at level ERROR on every start.
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    quiet()
    with _stderr_aside():
        ray.init(**options)


@contextlib.contextmanager
def _stderr_aside() -> Iterator[None]:
    """Captures standard error, where Ray's native code writes at start-up, and shows it only if the start fails."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as aside:
        os.dup2(aside.fileno(), 2)
        try:
            yield
        except BaseException:
            aside.seek(0)
            os.write(kept, aside.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def quiet() -> None:
    logging.getLogger("ray").setLevel(logging.ERROR)
