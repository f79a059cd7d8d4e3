"""The command in the test's own process: what it imports, and the models' packages, are loaded once a test run, not once a build."""

from __future__ import annotations

import contextlib
import io
import sys
from dataclasses import dataclass
from unittest import mock

from vidal.cli.main import main


@dataclass(frozen=True)
class Finished:
    """What a subprocess.CompletedProcess says of a command."""

    returncode: int
    stdout: str
    stderr: str


def vidal_inline(*arguments: str) -> Finished:
    """As tests.conftest.vidal, with the same exit code, output and messages; builds run on the inline executor.

    For tests whose subject is what a build makes. Where it is the command, its processes or Ray, they call tests.conftest.vidal.
    """
    executor = ("--set", "engine.executor=inline") if arguments[0] == "build-shard" else ()
    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch.object(sys, "argv", ["vidal", *arguments, *executor]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        code = _run()
    return Finished(code, out.getvalue(), err.getvalue())


def _run() -> int:
    try:
        main()
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0
