"""A dataset of many committed shards: what a command costs that has nothing to do, and the commit of one more shard.

python -m benchmarks.many_shards [--shards 100] [--rows 1000] [--s3-delay-ms 30]
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

from aiohttp import web

from tests.conftest import LIGHT, write_video
from tests.support.s3_server import environment, s3_server, unreliable
from vidal import ids, schema
from vidal.config.loading import load_recipe
from vidal.config.recipe import Recipe
from vidal.dataset import api, build, commit, discover
from vidal.dataset.dataset_file import claim
from vidal.dataset.listing_split import split_listing
from vidal.dataset.shard_report import ShardReport
from vidal.dataset.shard_summary import write_summary
from vidal.pipeline.stage import Runtime
from vidal.sources.embedded.site import serve
from vidal.stages.manifest.stage import declared_scores, manifest_schema
from vidal.stages.order import STAGES, VIEWS
from vidal.storage import layout
from vidal.storage.storage import Storage

REAL = 20  # Clips of the shard that is built on top.
KEEP = ("filters.similarity_min=null", "duplicates.near=false", "duplicates.exact=false", "engine.executor=inline",
        "crawl.requests_per_s=200")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shards", type=int, default=100)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--s3-delay-ms", type=float, default=30.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, _site(Path(name) / "site") as base:
        folder = Path(name)
        for shards in (10, options.shards):
            recipe = _recipe(folder, base, shards, options.rows)
            storage = _dataset(recipe, f"{folder}/{shards}", shards, options.rows)
            _measure_nothing(recipe, storage, shards, "local")
            _measure_commit(recipe, storage, shards)
        with _s3(folder, options.s3_delay_ms) as uri:
            recipe = _recipe(folder, base, options.shards, options.rows)
            storage = _dataset(recipe, uri("fast"), options.shards, options.rows)
            os.environ["AWS_ENDPOINT_URL"] = uri.slow_address
            storage.fs.clear_instance_cache()
            _measure_nothing(
                recipe, Storage(uri("fast")), options.shards, f"S3 at {options.s3_delay_ms:g} ms a request"
            )


@contextlib.contextmanager
def _site(folder: Path) -> Iterator[str]:
    folder.mkdir()
    for number in range(REAL):
        write_video(folder / f"{number}.mp4", frames=24 + 2 * number)
    app = web.Application()
    app.router.add_static("/", folder)
    with serve(app) as base:
        yield base


class _Uris:
    def __init__(self, slow_address: str):
        self.slow_address = slow_address

    def __call__(self, name: str) -> str:
        return f"s3://bucket/{name}"


@contextlib.contextmanager
def _s3(folder: Path, delay_ms: float) -> Iterator[_Uris]:
    import s3fs

    with s3_server(folder / "s3.log") as server, unreliable(server, delay_s=delay_ms / 1000) as slow:
        os.environ |= environment(server)
        s3fs.S3FileSystem(skip_instance_cache=True).mkdir("bucket")
        yield _Uris(slow)


def _recipe(folder: Path, base: str, shards: int, rows: int) -> Recipe:
    """A list that fills the shards with addresses that nobody asks, and one more shard with real ones."""
    path = folder / f"{shards}.csv"
    fake = (f"https://example.org/{number}.mp4,number {number}\n" for number in range(shards * rows))
    real = (f"{base}/{number}.mp4,A gray wall take {number}\n" for number in range(REAL))
    path.write_text("url,title\n" + "".join((*fake, *real)))
    return load_recipe("catalogue", (*LIGHT, *KEEP, f"shard_candidates={rows}"), catalogue=str(path))


def _dataset(recipe: Recipe, out: str, shards: int, rows: int) -> Storage:
    storage = Storage(out)
    claim(storage, recipe)
    split_listing(recipe, storage)
    stages = list(STAGES.values())
    for shard in range(shards):
        discover.discover(recipe, Runtime(out, "bench"), shard)
        table = schema.table([manifest_row(shard, number) for number in range(rows)], manifest_schema(VIEWS))
        storage.write_table(layout.manifest(shard), table, {"schema_version": schema.SCHEMA_VERSION})
        made_by = commit.shard_identity(stages, recipe, storage, shard)
        report = ShardReport(shard, rows={"video": rows})
        write_summary(storage, recipe, made_by, discover.state(storage, shard), 0, report)
    return storage


def manifest_row(shard: int, number: int) -> dict[str, object]:
    name = f"{shard}-{number}"
    return {
        "clip_id": ids.clip_id(name, 0.0, 3.0), "kind": "video", "shard": shard, "platform": "url", "source_id": name,
        "retrieved_at": datetime(2026, 1, 1, tzinfo=timezone.utc), "title": f"number {name}", "split": "train", "extra": "{}",
        "scores": dict.fromkeys(declared_scores(VIEWS), 0.5), "frame_paths": [f"_media/{name}/{k}.jpg" for k in range(8)],
    }  # fmt: skip


def _measure_nothing(recipe: Recipe, storage: Storage, shards: int, where: str) -> None:
    started = time.monotonic()
    report = api.build_shards(recipe, storage.uri, f"0-{shards - 1}")
    assert all(shard.done_before for shard in report.shards)
    print(f"{shards} committed shards, {where}: nothing to do in {time.monotonic() - started:.1f} s", flush=True)


def _measure_commit(recipe: Recipe, storage: Storage, shards: int) -> None:
    """Builds the shard of real clips, and times its commit alone."""
    build.build(recipe, storage, [shards], allow_hosts=("127.0.0.1",))
    parts = discover.parts(storage, recipe, shards)
    assert parts
    times = []
    for _ in range(5):
        started = time.monotonic()
        commit.commit(storage, list(STAGES.values()), recipe, parts)
        times.append(time.monotonic() - started)
    print(
        f"commit of one more shard, of {REAL} clips, beside {shards}: {sorted(times)[2]:.2f} s, median of five",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
