"""Whether memory and CPU stay flat: thousands of tiny clips through crawl and keyframes, by the command, on Ray.

    python -m benchmarks.many_clips [--clips 3000 30000]

A separate process serves the clips on loopback. Twice a second, the resident memory and the CPU seconds of the command and of all
processes below it are read. Printed for each size: the CPU for each clip, and the highest memory of the driver and of the workers of
the two stages, the latter after the first 1,000 clips and at the end.
"""

from __future__ import annotations

import argparse
import multiprocessing
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from benchmarks.crawl import _serve
from tests.conftest import FUSED, ROOT, sets

SETTINGS = (
    *FUSED,
    "crawl.requests_per_s=1000000",
    "crawl.burst=1000000",
    "crawl.host_concurrency=1000",
    "duplicates.exact=false",
    "duplicates.near=false",
    "storage.media=tar",
    "shard_candidates=1000000",
    "engine.executor=ray",
)
_MB = 2**20


@dataclass
class Usage:
    """The highest resident memory of each kind of process in MB, and CPU seconds of all."""

    memory_mb: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    cpu_s: float = 0.0

    def read(self, command: psutil.Process) -> None:
        cpu_s = 0.0
        for process in [command, *command.children(recursive=True)]:
            try:
                times, memory_mb = process.cpu_times(), process.memory_info().rss / _MB
                kind = "driver" if process == command else _kind(process)
            except psutil.NoSuchProcess:
                continue
            cpu_s += times.user + times.system + times.children_user + times.children_system
            self.memory_mb[kind] = max(self.memory_mb[kind], memory_mb)
        self.cpu_s = max(self.cpu_s, cpu_s)


def _kind(process: psutil.Process) -> str:
    line = " ".join(process.cmdline())
    return line.split()[0].removeprefix("ray::").partition(".")[0] if line.startswith("ray::") else "other"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, nargs="+", default=[3000, 30000])
    options = parser.parse_args()
    spawning = multiprocessing.get_context("spawn")
    receiver, sender = spawning.Pipe(duplex=False)
    server = spawning.Process(target=_serve, args=(sender,), daemon=True)
    server.start()
    base_url = receiver.recv()
    for clips in options.clips:
        _measure(base_url, clips)
    server.terminate()


def _measure(base_url: str, clips: int) -> None:
    with tempfile.TemporaryDirectory(prefix="bench-many-") as name:
        catalogue = Path(name, "clips.csv")
        catalogue.write_text("url,title\n" + "".join(f"{base_url}/clip-{i}.mp4,A tiny clip\n" for i in range(clips)))
        command = [sys.executable, "-m", "vidal.cli", "build-shard", "0", "--recipe", "catalogue", "--out", f"{name}/out",
                   "--catalogue", str(catalogue), "--allow-host", "127.0.0.1", "--stage", "keyframes", *sets(*SETTINGS)]  # fmt: skip
        started, usage = time.monotonic(), Usage()
        with open(f"{name}/log", "wb") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=ROOT)
            watched = psutil.Process(process.pid)
            while process.poll() is None:
                usage.read(watched)
                time.sleep(0.5)
        if process.returncode:
            raise SystemExit(Path(name, "log").read_text()[-3000:])
        stored = len(list(Path(name, "out").glob("_media/*/*.video.tar")))
        memory = ", ".join(f"{kind} {mb:.0f} MB" for kind, mb in sorted(usage.memory_mb.items()))
        print(
            f"{clips} clips in {time.monotonic() - started:.0f} s, {stored} archives of videos; "
            f"CPU {1000 * usage.cpu_s / clips:.1f} ms a clip; highest memory: {memory}",
            flush=True,
        )


if __name__ == "__main__":
    main()
