"""CPU of everything that reads media: each clip is crawled, and its keyframes, motion and sound are read. No model runs.

    python -m benchmarks.media_cost ../shared/data/videos
    python -m benchmarks.media_cost --tiny 500

Processes that the readers start are counted. Run it on two commits in turn, and compare.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
from pathlib import Path

import psutil
from aiohttp import web

from tests.conftest import LIGHT, write_video
from vidal.config.loading import load_recipe
from vidal.ids import candidate_id
from vidal.pipeline.stage import Output, Runtime
from vidal.sources.embedded.site import serve
from vidal.stages.order import STAGES
from vidal.storage.storage import Storage

SETTINGS = (*LIGHT, "text.duration_max_s=120", "crawl.requests_per_s=1000000", "crawl.burst=1000000", "crawl.host_concurrency=100",
            "measure.language=null", "measure.text=null", "measure.aesthetic=null", "measure.pictures=false",
            "measure.blur=false")  # fmt: skip
VIEWS = ("keyframes", "measure", "audio")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", help="a folder of videos")
    parser.add_argument("--tiny", type=int, help="as many copies of a clip of 2 s, 64x48, in its place")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-cost-") as temporary:
        site = options.folder or write_video(Path(temporary) / "clip.mp4").parent
        names = sorted(path.name for path in site.iterdir() if path.suffix in (".mp4", ".mkv", ".avi"))
        names = names if options.folder else [f"clip.mp4?{index}" for index in range(options.tiny or 500)]
        app = web.Application()
        app.router.add_static("/", site)
        with serve(app) as url:
            clips, cpu_s = _read_all([f"{url}/{name}" for name in names], temporary)
        print(f"{1000 * cpu_s / clips:.1f} ms of CPU a clip, {clips} clips")


def _read_all(urls: list[str], out: str) -> tuple[int, float]:
    """Returns how many clips were read, and the CPU seconds."""
    recipe, runtime, storage = load_recipe("embedded", SETTINGS), Runtime(out, "bench", ("127.0.0.1",)), Storage(out)
    crawl, *views = (STAGES[name].open(recipe, runtime, storage) for name in ("crawl", *VIEWS))
    before, clips = _cpu_s(), 0
    for url in urls:
        result = crawl(_row(url))
        for clip in result.rows if isinstance(result, Output) else []:
            record = dict(clip)
            for view in views:
                record |= view(record).rows[0]
            clips += 1
    return clips, _cpu_s() - before


def _row(url: str) -> dict[str, object]:
    return {"candidate_id": candidate_id("url", url, None, None), "shard": 0, "source": None, "platform": "url", "source_id": url,
            "url": url, "media_url": None, "kind": None, "search_terms": [], "title": "A clip", "hashtags": [], "uploader": None,
            "licence": None, "duration_s": None, "start_s": None, "end_s": None, "curated": True, "extra": None}  # fmt: skip


def _cpu_s() -> float:
    """Of this process, the programs that it started and the processes that read media for it, which are still running."""
    used = [resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    running = [child.cpu_times() for child in psutil.Process().children(recursive=True)]
    return sum(each.ru_utime + each.ru_stime for each in used) + sum(each.user + each.system for each in running)


if __name__ == "__main__":
    main()
