"""A shard on S3 as on a disk: the same bytes through a store that refuses every tenth request, and every command works there."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import s3fs

from tests.conftest import LIGHT, ROOT, sets, write_video
from tests.support.inline import vidal_inline
from tests.support.s3_server import environment, s3_server, unreliable
from tests.support.training_batches import assert_same_batches, batches_of
from vidal.storage.storage import Storage

SETTINGS = sets(*LIGHT, "filters.similarity_min=null", "duplicates.near=false", "crawl.requests_per_s=200", "engine.part_size=8",
                "storage.media=tar", "crawl.retrieved_at=2026-01-01T00:00:00Z", "crawl.attempts=1")  # fmt: skip
CLIPS = 12


@pytest.fixture
def buckets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """The addresses of one store: as it is, and through a proxy that answers every tenth request with 503, 429 or 500."""
    with s3_server(tmp_path / "s3.log") as address, unreliable(address, fail_every=10) as faulty:
        for name, value in environment(address).items():
            monkeypatch.setenv(name, value)
        s3fs.S3FileSystem.clear_instance_cache()
        s3fs.S3FileSystem(skip_instance_cache=True).mkdir("bucket")
        yield {"whole": address, "faulty": faulty}
    s3fs.S3FileSystem.clear_instance_cache()


def run(monkeypatch: pytest.MonkeyPatch, address: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    monkeypatch.setenv("AWS_ENDPOINT_URL", address)
    command = [sys.executable, "-m", "vidal.cli", *arguments]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600, cwd=ROOT)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_disk_a_store_and_a_faulty_store_give_the_same_bytes(buckets, serve_folder, tmp_path, monkeypatch) -> None:
    site = tmp_path / "site"
    site.mkdir()
    for number in range(CLIPS):
        write_video(site / f"{number}.mp4", frames=24 + 2 * number)
    hidden = (site / "11.mp4").rename(tmp_path / "11.mp4")
    base = serve_folder(site)
    rows = "".join(f"{base}/{number}.mp4,A gray wall {number}\n" for number in range(CLIPS))
    (tmp_path / "clips.csv").write_text("url,title\n" + rows)
    build = ("build-shard", "0", "--recipe", "catalogue", "--catalogue", str(tmp_path / "clips.csv"),
             "--allow-host", "127.0.0.1", *SETTINGS, "--out")  # fmt: skip
    disk = str(tmp_path / "disk")
    done = vidal_inline(*build, disk)
    assert done.returncode == 0, done.stderr[-3000:]
    manifests = {Storage(disk).read("shard-00000.parquet")}
    for name, out in (("whole", "s3://bucket/whole"), ("faulty", "s3://bucket/faulty")):
        done = run(monkeypatch, buckets[name], *build, out)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
        monkeypatch.setenv("AWS_ENDPOINT_URL", buckets["whole"])
        manifests.add(Storage(out).read("shard-00000.parquet"))
    assert len(manifests) == 1
    archive = "_media/shard-00000/part-00001.frames.tar"
    assert Storage("s3://bucket/faulty").read(archive) == Storage(disk).read(archive)

    # Loader workers are processes of their own, each with a connection to the store.
    on_disk = batches_of(disk, size=4)
    for out, workers in (("s3://bucket/whole", 0), ("s3://bucket/faulty", 2)):
        assert_same_batches(on_disk, batches_of(out, workers=workers, size=4))

    hidden.rename(site / "11.mp4")
    out = "s3://bucket/faulty"
    done = run(monkeypatch, buckets["faulty"], "retry", out, "--class", "http_404", "--allow-host", "127.0.0.1")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    assert Storage(out).read_table("shard-00000.parquet").num_rows == CLIPS
    for command in ("validate", "report", "clean"):
        done = run(monkeypatch, buckets["faulty"], command, out)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    assert Storage(out).exists("_reports/shard-00000.html")
