"""How long a crawl takes in which one host is slow: 64 quick answers and four of 12 s, in four parts, by the command on Ray.

    python -m benchmarks.slow_host [--parts-at-once 4]

With --parts-at-once 1, a worker takes up a part when the one before has ended.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from aiohttp import web

from tests.conftest import LIGHT, ROOT, sets, write_video
from vidal.sources.embedded.site import serve

SLOW_S = 12.0
SETTINGS = (*LIGHT, "resources.keyframes={cpus: 0.3}", "engine.part_size=17", "crawl.requests_per_s=1000", "crawl.burst=1000",
            "crawl.host_concurrency=100", "duplicates={exact: false, near: false}")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts-at-once", type=int, default=4)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_video(folder / "a.mp4", size=(64, 48))
        times: list[float] = []
        with serve(_app((folder / "a.mp4").read_bytes(), times)) as url:
            rows = [f"{url}/{n}.mp4{'?slow=1' if n % 17 == 0 else ''},A cat {n}\n" for n in range(68)]
            (folder / "c.csv").write_text("url,title\n" + "".join(rows))
            _build(folder, options.parts_at_once)
        print(f"{len(times)} answers, {times[-1] - times[0]:.1f} s from the first request to the last answer")


def _app(body: bytes, times: list[float]) -> web.Application:
    async def get(request: web.Request) -> web.Response:
        if not request.path.endswith(".mp4"):
            raise web.HTTPNotFound
        times.append(time.monotonic())
        if request.query.get("slow"):
            await asyncio.sleep(SLOW_S)
            times.append(time.monotonic())
        return web.Response(body=body, content_type="video/mp4")

    app = web.Application()
    app.router.add_get("/{name}", get)
    return app


def _build(folder: Path, parts_at_once: int) -> None:
    command = [sys.executable, "-m", "vidal.cli", "build-shard", "0", "--recipe", "embedded", "--catalogue", str(folder / "c.csv"),
               "--out", str(folder / "out"), "--stage", "crawl", "--allow-host", "127.0.0.1",
               *sets(*SETTINGS, f"crawl.parts_at_once={parts_at_once}")]  # fmt: skip
    subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
