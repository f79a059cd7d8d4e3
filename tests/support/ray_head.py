"""A Ray head on this machine, as `make submit-shard` and `make submit-train` are given one."""

from __future__ import annotations

import contextlib
import os
import random
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

# Above the ports of Ray's workers (10002 to 19999), which it refuses for anything else, and below those the system gives out.
_PORTS = range(20_000, 32_000)
_START_S = 480  # Beside other work a head needs minutes until its agent takes jobs.


@contextlib.contextmanager
def ray_head(log: Path, *arguments: str) -> Iterator[str]:
    """Address of its job server. Raises RuntimeError with what it printed where it does not come up; log keeps that."""
    gcs, dashboard, client = _free_ports(3)
    ports = [f"--port={gcs}", f"--dashboard-port={dashboard}", f"--ray-client-server-port={client}"]
    command = [str(Path(sys.executable).parent / "ray"), "start", "--head", "--block", *ports, "--disable-usage-stats"]
    with log.open("wb") as file:
        # Ray's own niceness for workers is 15: beside another test they would hardly begin.
        environment = {**os.environ, "RAY_worker_niceness": "0"}
        head = subprocess.Popen([*command, *arguments], stdout=file, stderr=subprocess.STDOUT, env=environment)
    address = f"http://127.0.0.1:{dashboard}"
    try:
        _wait(f"{address}/api/version", head, log)
        _wait_for_agent(address)
        yield address
    finally:
        head.terminate()
        head.wait(timeout=60)


def _wait(url: str, head: subprocess.Popen[bytes], log: Path) -> None:
    ends = time.monotonic() + _START_S
    while head.poll() is None and time.monotonic() < ends:
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except urllib.error.HTTPError:  # It answers, and asks for a token: there is one in ~/.ray.
            return
        except OSError:
            pass
        time.sleep(0.5)
    raise RuntimeError(f"the head did not come up (exit code {head.poll()}): {log.read_text(errors='replace')[-2000:]}")


def _wait_for_agent(address: str) -> None:
    """The server answers before the agent is there that starts jobs: until then it refuses them."""
    ray, ends = str(Path(sys.executable).parent / "ray"), time.monotonic() + _START_S
    token = {"RAY_AUTH_MODE": "token"} if (Path.home() / ".ray" / "auth_token").exists() else {}
    while True:
        done = subprocess.run([ray, "job", "submit", "--address", address, "--", "true"], capture_output=True, text=True,
                              env={**token, **os.environ}, check=False)  # fmt: skip
        if done.returncode == 0:
            return
        if "No available agent" not in done.stdout + done.stderr or time.monotonic() > ends:
            raise RuntimeError(f"the head takes no job: {(done.stdout + done.stderr)[-2000:]}")
        time.sleep(1)


def _free_ports(count: int) -> list[int]:
    free: list[int] = []
    for port in random.sample(_PORTS, len(_PORTS)):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            free.append(port)
        if len(free) == count:
            break
    return free
