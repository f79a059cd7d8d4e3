"""An S3 server on loopback: moto in a process of its own, which keeps the objects in memory."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

_MAIN = "from moto.server import main; main(['-H', '127.0.0.1', '-p', '0'])"
_ADDRESS = re.compile(r"Running on (http://127\.0\.0\.1:\d+)")


@contextlib.contextmanager
def s3_server(log: Path) -> Iterator[str]:
    """The address of a server that has no bucket yet and accepts any key. Its requests are listed in the log."""
    with log.open("wb") as output:
        process = subprocess.Popen([sys.executable, "-c", _MAIN], stdout=output, stderr=subprocess.STDOUT)
    try:
        yield _address(process, log)
    finally:
        process.terminate()
        process.wait()


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    """The port is the kernel's choice, so that two test runs can have a server each."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        if match := _ADDRESS.search(log.read_text()):
            return match[1]
        time.sleep(0.05)
    raise RuntimeError(f"the S3 server did not start: {log.read_text()[-2000:]}")


def environment(address: str) -> dict[str, str]:
    """The variables by which s3fs, boto and the AWS command line reach the server."""
    return {
        "AWS_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
