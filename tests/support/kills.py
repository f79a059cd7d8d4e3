"""Builds of the embedded recipe by the real command, whose processes are killed at random moments."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

from tests.conftest import ROOT
from vidal.storage.storage import Storage

COMMAND = [sys.executable, "-m", "vidal.cli", "build-shard", "0", "--recipe", "embedded", "--out"]
TABLE = "shard-00000.parquet"


def start(
    out: Path | str, environment: dict[str, str] | None = None, options: tuple[str, ...] = ()
) -> subprocess.Popen[bytes]:
    quiet = subprocess.DEVNULL
    return subprocess.Popen([*COMMAND, str(out), *options], stdout=quiet, stderr=quiet, cwd=ROOT, env=environment)


def finish(out: Path | str, options: tuple[str, ...] = ()) -> bytes:
    """The manifest's bytes, after a build that nobody disturbs."""
    assert start(out, options=options).wait(timeout=600) == 0
    return Storage(str(out)).read(TABLE)


def kill_drivers(out: Path | str, kills: int, chance: random.Random, options: tuple[str, ...] = ()) -> int:
    """Starts builds one after another and kills each, until one ends by itself; returns how many were killed."""
    for killed in range(kills):
        process = start(out, options=options)
        try:
            process.wait(timeout=chance.uniform(8, 35))
            return killed
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            time.sleep(2)  # Its cluster notices and goes.
    return kills


def kill_workers(process: subprocess.Popen[bytes], kills: int, chance: random.Random) -> int:
    """Kills workers of a build while they hold stages; returns how many. Raises AssertionError where the build fails."""
    while process.poll() is None and not workers_of(process):
        time.sleep(0.5)
    killed = 0
    for _ in range(kills):
        time.sleep(chance.uniform(1, 18))
        if workers := workers_of(process):
            chance.choice(workers).send_signal(signal.SIGKILL)
            killed += 1
    assert process.wait(timeout=600) == 0
    return killed


def workers_of(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """Ray's workers that hold stages: children of the raylet, which Ray names after their class."""
    try:
        return [each for each in psutil.Process(process.pid).children(recursive=True) if "::_Worker" in _name(each)]
    except psutil.NoSuchProcess:
        return []


def _name(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return ""
