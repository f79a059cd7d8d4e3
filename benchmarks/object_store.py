"""Requests and objects of a build on an object store: moto on loopback, every request counted at the server.

python -m benchmarks.object_store [--clips 64] [--part-size 32] [--delay-ms 0] [--captions]
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from aiohttp import web

from tests.conftest import LIGHT, ROOT, sets, write_video
from tests.support.s3_server import environment, s3_server, unreliable
from vidal.sources.embedded.site import serve

ALL_STAY = ("filters.similarity_min=null", "duplicates.near=false", "duplicates.exact=false", "crawl.requests_per_s=200",
            "engine.executor=ray", "storage.media=tar")  # fmt: skip
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_REQUEST = re.compile(r'"(GET|PUT|POST|HEAD|DELETE) (\S+) HTTP[^"]*" (\d+)')


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=64)
    parser.add_argument("--part-size", type=int, default=32)
    parser.add_argument("--delay-ms", type=float, default=0.0, help="added to every request")
    parser.add_argument("--fail-every", type=int, default=0, help="each n-th request is answered 503")
    parser.add_argument("--captions", action="store_true", help="the packaged captioners, and a rewriter on loopback")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _clips(folder / "site", options.clips)
        app = web.Application()
        app.router.add_post("/v1/chat/completions", _answer)
        app.router.add_static("/", folder / "site")
        with (
            serve(app) as base,
            s3_server(folder / "s3.log") as server,
            unreliable(server, delay_s=options.delay_ms / 1000, fail_every=options.fail_every) as address,
        ):
            os.environ |= environment(address)
            import s3fs

            s3fs.S3FileSystem(skip_instance_cache=True).mkdir("bucket")
            rows = "".join(f"{base}/{number}.mp4,A gray wall take {number}\n" for number in range(options.clips))
            (folder / "clips.csv").write_text("url,title\n" + rows)
            for what in ("build", "rerun"):
                before = len((folder / "s3.log").read_text().splitlines())
                started = time.monotonic()
                _build(folder, options.part_size, _asking(base) if options.captions else ())
                lines = (folder / "s3.log").read_text().splitlines()[before:]
                _show(what, lines, options.clips, time.monotonic() - started, options.verbose)
            files = s3fs.S3FileSystem(skip_instance_cache=True).find("bucket/data")
            print(f"{len(files)} objects, {len(files) / options.clips:.2f} a clip")
            if options.verbose:
                print("\n".join(files))


def _clips(folder: Path, count: int) -> None:
    folder.mkdir()
    for number in range(count):
        write_video(folder / f"{number}.mp4", frames=24 + 2 * number)


async def _answer(_: web.Request) -> web.Response:
    usage = {"prompt_tokens": 10, "completion_tokens": 3}
    return web.json_response({"choices": [{"message": {"content": "A gray wall"}}], "usage": usage})


def _asking(base: str) -> tuple[str, ...]:
    """Settings for a rewriter at this address, and for the packaged captioners."""
    rewriter = f'enhanced.model={{adapter: openai, id: m, options: {{base_url: "{base}/v1"}}}}'
    return (rewriter, *(f"captions.{view}={{adapter: tags}}" for view in ("keyframe", "video")))


def _build(folder: Path, part_size: int, more: tuple[str, ...]) -> None:
    command = [sys.executable, "-m", "vidal.cli", "build-shard", "0", "--recipe", "catalogue", "--catalogue",
               str(folder / "clips.csv"), "--allow-host", "127.0.0.1", "--out", "s3://bucket/data",
               *sets(*LIGHT, *ALL_STAY, f"engine.part_size={part_size}", *more)]  # fmt: skip
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        raise SystemExit(done.stdout[-2000:] + done.stderr[-3000:])


def _show(what: str, lines: list[str], clips: int, seconds: float, verbose: bool) -> None:
    requests = [match.groups() for line in lines if (match := _REQUEST.search(_COLOUR.sub("", line)))]
    methods = Counter(method for method, *_ in requests)
    print(f"{what}: {len(requests)} requests, {len(requests) / clips:.2f} a clip, in {seconds:.0f} s: {dict(methods)}")
    if verbose:
        kinds = Counter(
            (
                method,
                re.sub(
                    r"\d{5}|[0-9a-f-]{36}|[0-9a-f]{64}",
                    "N",
                    path.replace("%2F", "/") if "prefix" in path else path.partition("?")[0],
                ),
                status,
            )
            for method, path, status in requests
        )
        for key, count in kinds.most_common(60):
            print(f"  {count:4} {' '.join(key)}")


if __name__ == "__main__":
    main()
