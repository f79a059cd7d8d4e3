"""What the crawl costs: memory and CPU of one worker over thousands of tiny clips.

    python -m benchmarks.crawl --clips 5000

A separate process serves the clips on loopback, so that its CPU is not counted. A child process runs the crawl stage's worker over
parts of 32 candidates, in as many threads as the recipe says, and prints its resident memory after 1,000 clips and at the end,
and its CPU seconds (user and system, of all its threads and of programs that it started) for each clip.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path

import psutil

PART = 32
# The host may be asked as often as this machine can: what is measured is the crawler, not its politeness.
UNLIMITED = (
    "crawl.requests_per_s=1000000",
    "crawl.burst=1000000",
    "crawl.host_concurrency=1000",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=5000)
    parser.add_argument(
        "--first", type=int, default=1000, help="the memory at the end is compared with that after so many"
    )
    parser.add_argument(
        "--pool-per-part", action="store_true", help="new threads for each part, as the runner once made"
    )
    parser.add_argument(
        "--profile", action="store_true", help="one thread under cProfile; the figures are then too high"
    )
    options = parser.parse_args()
    spawning = multiprocessing.get_context("spawn")
    receiver, sender = spawning.Pipe(duplex=False)
    server = spawning.Process(target=_serve, args=(sender,), daemon=True)
    server.start()
    base_url = receiver.recv()
    crawler = spawning.Process(target=_crawl, args=(base_url, options))
    crawler.start()
    crawler.join()
    server.terminate()
    if crawler.exitcode:
        raise SystemExit(crawler.exitcode)


def _serve(sender: Connection) -> None:
    """The same clip under every name that begins with /clip; keep-alive, as most servers have it."""
    from aiohttp import web

    from tests.hostile.sample import sample_video
    from vidal.sources.embedded.site import serve

    clip = sample_video()

    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=clip, content_type="video/mp4")

    app = web.Application()
    app.router.add_get("/clip{name:.*}", answer)
    with serve(app) as url:
        sender.send(url)
        threading.Event().wait()


def _crawl(base_url: str, options: argparse.Namespace) -> None:
    from vidal.config.loading import load_recipe
    from vidal.crawl.crawler import Crawler
    from vidal.pipeline.stage import Output, Runtime
    from vidal.storage.storage import Storage

    recipe = load_recipe("embedded", UNLIMITED)
    with tempfile.TemporaryDirectory(prefix="bench-crawl-") as out:
        crawler = Crawler(recipe, Runtime(out, "bench", ("127.0.0.1",)), Storage(out))
        threads = 1 if options.profile else recipe.crawl.concurrency
        pool = ThreadPoolExecutor(threads)
        print(f"{threads} threads; {_rss_mb():.0f} MB before the first clip")
        started_s, cpu_s, done = time.monotonic(), _cpu_s(), 0
        memory_mb: dict[int, float] = {}
        with _profiling(options.profile):
            for part in _parts(base_url, options.clips):
                if options.profile:
                    results = [crawler(row) for row in part]
                elif options.pool_per_part:
                    with ThreadPoolExecutor(threads) as own:
                        results = list(own.map(crawler, part))
                else:
                    results = list(pool.map(crawler, part))
                if wrong := [result for result in results if not isinstance(result, Output)]:
                    raise SystemExit(f"not every clip was kept: {wrong[0]}")
                if done < options.first <= done + len(part):
                    memory_mb[options.first] = _rss_mb()
                done += len(part)
        cpu_ms, wall_s = 1000 * (_cpu_s() - cpu_s) / done, time.monotonic() - started_s
        memory_mb[done] = _rss_mb()
        stored = sum(1 for _ in Path(out).rglob("video.mp4"))
        print(f"{done} clips in {wall_s:.1f} s, {stored} files stored; CPU {cpu_ms:.2f} ms a clip")
        print("; ".join(f"{mb:.0f} MB after {clips} clips" for clips, mb in memory_mb.items()))
        if options.first in memory_mb:
            growth = memory_mb[done] / memory_mb[options.first] - 1
            print(f"memory at the end: {growth:+.1%} of that after {options.first} clips")


def _parts(base_url: str, clips: int) -> Iterator[list[dict[str, object]]]:
    from vidal.ids import candidate_id

    for start in range(0, clips, PART):
        urls = [f"{base_url}/clip-{index}.mp4" for index in range(start, min(start + PART, clips))]
        yield [
            {"candidate_id": candidate_id("url", url, None, None), "shard": 0, "source": None, "platform": "url", "source_id": url,
             "url": url, "media_url": None, "kind": None, "search_terms": [], "title": "A tiny clip", "hashtags": ["tiny"],
             "uploader": None, "licence": None, "duration_s": None, "start_s": None, "end_s": None, "curated": True, "extra": None}
            for url in urls
        ]  # fmt: skip


def _profiling(wanted: bool):
    import contextlib
    import cProfile
    import pstats

    @contextlib.contextmanager
    def profiled() -> Iterator[None]:
        profile = cProfile.Profile(time.thread_time)
        with profile:
            yield
        for order in ("tottime", "cumtime"):
            pstats.Stats(profile).sort_stats(order).print_stats(45)

    return profiled() if wanted else contextlib.nullcontext()


def _rss_mb() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("the kernel does not tell VmRSS")


def _cpu_s() -> float:
    """Of this process, the programs that it started and the processes that read media for it, which are still running."""
    used = [resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    running = [child.cpu_times() for child in psutil.Process().children(recursive=True)]
    return sum(each.ru_utime + each.ru_stime for each in used) + sum(each.user + each.system for each in running)


if __name__ == "__main__":
    main()
