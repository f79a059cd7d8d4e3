"""Several shards of one command: one pipeline on Ray, whose shards enter and commit one after another."""

import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from aiohttp import web

from tests.conftest import FUSED, LIGHT, ROOT, sets, write_video
from tests.support.inline import vidal_inline
from vidal.dataset.shard_summary import read_summary
from vidal.sources.embedded.site import serve
from vidal.storage.storage import Storage

pytestmark = pytest.mark.xdist_group("ray")
STAY = ("filters.similarity_min=null", "duplicates={exact: false, near: false}", "crawl.requests_per_s=1000", "crawl.burst=1000",
        "crawl.retrieved_at=2026-01-01T00:00:00Z", "shard_candidates=6", "engine.part_size=2")  # fmt: skip


@pytest.fixture(scope="module")
def listed(tmp_path_factory, serve_folder):
    """A list of 24 clips, which fill four shards."""
    folder = tmp_path_factory.mktemp("many")
    (folder / "media").mkdir()
    for index in range(24):
        write_video(folder / "media" / f"{index}.mp4", frames=10 + index, size=(64 + 2 * index, 48))
    base = serve_folder(folder / "media")
    rows = [{"url": f"{base}/{index}.mp4", "title": f"A cat runs, take {index}"} for index in range(24)]
    pd.DataFrame(rows).to_csv(folder / "c.csv", index=False)
    return folder / "c.csv"


def command(shards, listed, out, *settings):
    return ("build-shard", shards, "--recipe", "embedded", "--catalogue", str(listed), "--out", str(out),
            "--allow-host", "127.0.0.1", *sets(*LIGHT, *FUSED, *STAY, *settings))  # fmt: skip


def build(shards, listed, out, *settings):
    arguments = [sys.executable, "-m", "vidal.cli", *command(shards, listed, out, *settings)]
    return subprocess.run(arguments, capture_output=True, text=True, cwd=ROOT, timeout=280, check=False)


def manifests(out: Path):
    return {path.name: path.read_bytes() for path in sorted(out.glob("shard-*.parquet"))}


def test_shards_of_one_command_have_the_bytes_of_shards_built_alone_and_share_their_workers(listed, tmp_path):
    done = build("0-3", listed, tmp_path / "together", "engine.log_level=info")
    assert done.returncode == 0, done.stderr
    assert len(manifests(tmp_path / "together")) == 4
    assert [read_summary(Storage(str(tmp_path / "together")), shard)["rows"] for shard in range(4)] == [
        {"video": 6}
    ] * 4
    for shard in range(4):
        alone = vidal_inline(*command(str(shard), listed, tmp_path / "alone"))
        assert alone.returncode == 0, alone.stderr
    assert manifests(tmp_path / "together") == manifests(tmp_path / "alone")
    reports = [line for line in done.stdout.splitlines() if "shard " in line and " s" in line]
    assert [f"shard {shard}," in line for shard, line in enumerate(reports)] == [True] * 4

    again = build("0-3", listed, tmp_path / "together")
    assert again.returncode == 0 and again.stdout.count("was built before and is unchanged") == 4


def test_a_shard_without_candidates_among_others_is_committed_too(listed, tmp_path):
    """Its search terms find nothing; those before and after it are built."""
    pd.DataFrame({"url": ["ftp://nowhere/a.mp4"] * 1, "title": ["none"]}).to_csv(tmp_path / "none.csv", index=False)
    done = build("0", tmp_path / "none.csv", tmp_path / "out")
    assert (tmp_path / "out/shard-00000.parquet").exists(), done.stderr


def test_a_slow_host_does_not_keep_the_clips_of_others_waiting(tmp_path):
    """Four parts of 17, each of which begins with a clip of a host that takes its time: the waits overlap."""
    write_video(tmp_path / "a.mp4", size=(64, 48))
    body, times, slow = (tmp_path / "a.mp4").read_bytes(), [], []

    async def get(request):
        import asyncio

        if request.query.get("slow"):
            slow.append(time.monotonic())
            await asyncio.sleep(6)
        if request.path.endswith(".mp4"):
            times.append(time.monotonic())
        return web.Response(body=body, content_type="video/mp4")

    app = web.Application()
    app.router.add_get("/{name}", get)
    with serve(app) as url:
        urls = [f"{url}/{n}.mp4" + ("?slow=1" if n % 17 == 0 else "") for n in range(68)]
        pd.DataFrame({"url": urls, "title": "A cat"}).to_csv(tmp_path / "c.csv", index=False)
        done = build("0", tmp_path / "c.csv", tmp_path / "out", "shard_candidates=100", "engine.part_size=17",
                     "crawl.host_concurrency=100", "resources.keyframes={cpus: 0.3}", "crawl.concurrency=6")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert len(times) == 68 and len(slow) == 4
    print(f"\nthe crawl took {times[-1] - times[0]:.1f} s")
    # One after another, the last of them would be asked for 18 s after the first.
    assert slow[-1] - slow[0] < 9
