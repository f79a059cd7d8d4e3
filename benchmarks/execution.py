"""The pipeline on Ray: what several shards of one command cost beside one, and how busy the stages keep the cores.

    python -m benchmarks.execution shards        CPU of four shards of 50 tiny clips, and of the same 200 clips in one shard
    python -m benchmarks.execution efficiency    on an idle machine: CPU of the stages over cores x wall, after the first row

All runs have all stages of the recipe `embedded`, by the command.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
from aiohttp import web

from benchmarks.crawl import _serve
from benchmarks.many_clips import Usage
from tests.conftest import ROOT, SHARED, sets
from vidal.sources.embedded.site import serve

STAY = (
    "filters.similarity_min=null",
    "duplicates={exact: false, near: false}",
    "crawl.requests_per_s=1000",
    "crawl.burst=1000",
)


@dataclass(frozen=True)
class Sample:
    """CPU seconds of the workers and of the processes that they have started, at a time (time.time())."""

    at: float
    workers_cpu_s: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["shards", "efficiency"])
    options = parser.parse_args()
    _shards() if options.what == "shards" else _efficiency()


def _shards() -> None:
    spawning = multiprocessing.get_context("spawn")
    receiver, sender = spawning.Pipe(duplex=False)
    server = spawning.Process(target=_serve, args=(sender,), daemon=True)
    server.start()
    base = receiver.recv()
    rows = "".join(f"{base}/clip-{i}.mp4,A tiny clip {i}\n" for i in range(200))
    used = {}
    for shards, size in (("0", 200), ("0-3", 50)):
        with tempfile.TemporaryDirectory() as name:
            Path(name, "c.csv").write_text("url,title\n" + rows)
            usage = _run(Path(name), shards, f"shard_candidates={size}", "engine.part_size=25")[0]
            used[shards] = usage.cpu_s
            print(f"shards {shards} of {size} clips: {usage.cpu_s:.1f} s of CPU", flush=True)
    print(f"ratio {used['0-3'] / used['0']:.2f}")
    server.terminate()


def _efficiency() -> None:
    from vidal.sources.embedded.media import build_media

    folders = {"packaged": build_media()}
    if SHARED.is_dir():
        folders = {"shared": SHARED / "videos", **folders}
    for name, media in folders.items():
        app = web.Application()
        app.router.add_static("/", media)
        files = sorted(path.name for path in media.iterdir() if path.suffix in (".mp4", ".mov", ".webm", ".mkv"))
        with serve(app) as url, tempfile.TemporaryDirectory() as folder:
            Path(folder, "c.csv").write_text(
                "url,title\n" + "".join(f"{url}/{file},A clip {file[:-4]}\n" for file in files)
            )
            started = time.time()
            _, samples = _run(Path(folder), "0")
            rows = sorted(
                path.stat().st_mtime for path in Path(folder, "out/_stages/manifest").rglob("part-*[0-9].parquet")
            )
            first = sorted(
                path.stat().st_mtime for path in Path(folder, "out/_stages/crawl").rglob("part-*[0-9].parquet")
            )[0]
        _print_efficiency(f"{len(files)} {name} clips", started, first, rows[0], rows[-1], samples)


def _print_efficiency(
    what: str, started: float, crawled: float, first: float, last: float, samples: list[Sample]
) -> None:
    cores = os.cpu_count() or 1
    shares = []
    for begin in (crawled, first):
        used_s = _cpu_at(last, samples) - _cpu_at(begin, samples)
        shares.append(used_s / (cores * (last - begin)))
    print(
        f"{what}: first part crawled after {crawled - started:.0f} s, first row after {first - started:.0f} s, last after "
        f"{last - started:.0f} s; efficiency {shares[0]:.2f} from the first part, {shares[1]:.2f} from the first row",
        flush=True,
    )


def _cpu_at(at: float, samples: list[Sample]) -> float:
    return min(samples, key=lambda sample: abs(sample.at - at)).workers_cpu_s


def _run(folder: Path, shards: str, *settings: str) -> tuple[Usage, list[Sample]]:
    command = [sys.executable, "-m", "vidal.cli", "build-shard", shards, "--recipe", "embedded", "--catalogue", str(folder / "c.csv"),
               "--out", str(folder / "out"), "--allow-host", "127.0.0.1", *sets(*STAY, *settings)]  # fmt: skip
    usage, samples, workers = Usage(), [], dict[int, float]()
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=ROOT)
        watched = psutil.Process(process.pid)
        while process.poll() is None:
            usage.read(watched)
            _read_workers(watched, workers)
            samples.append(Sample(time.time(), sum(workers.values())))
            time.sleep(0.5)
    if process.returncode:
        raise SystemExit((folder / "log").read_text()[-3000:])
    return usage, samples


def _read_workers(command: psutil.Process, workers: dict[int, float]) -> None:
    """Updates the CPU seconds of each worker and reading process, by its id. Those that have ended keep what they used."""
    for process in command.children(recursive=True):
        try:
            line = " ".join(process.cmdline())
            if line.startswith("ray::_Worker") or "vidal.media.limited_process" in line:
                times = process.cpu_times()
                workers[process.pid] = times.user + times.system
        except psutil.Error:
            continue


if __name__ == "__main__":
    main()
