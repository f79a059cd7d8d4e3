"""Datasets on S3: what another process writes is visible at once, and a shard is built, rerun and validated there."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import s3fs

from tests.conftest import LIGHT, ROOT, sets, write_video
from tests.support.inline import vidal_inline
from tests.support.s3_server import environment, s3_server
from vidal.storage.storage import Storage

# Gray clips are copies of each other and resemble no title. Ray, not inline: a cached listing lacks what other processes write.
ALL_STAY = ("filters.similarity_min=null", "duplicates.near=false", "crawl.requests_per_s=100", "engine.executor=ray")


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URI of an empty bucket, which this process and those that it starts can reach."""
    import s3fs

    with s3_server(tmp_path / "s3.log") as address:
        for name, value in environment(address).items():
            monkeypatch.setenv(name, value)
        s3fs.S3FileSystem.clear_instance_cache()  # An instance would keep the address of an earlier server.
        s3fs.S3FileSystem(skip_instance_cache=True).mkdir("bucket")
        yield "s3://bucket"
    s3fs.S3FileSystem.clear_instance_cache()


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A command with no terminal at all: no input, and pipes for what it prints."""
    command = [sys.executable, *arguments]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=280, cwd=ROOT)


def test_a_dataset_on_s3_is_written_read_listed_and_removed(bucket: str, tmp_path: Path) -> None:
    storage = Storage(f"{bucket}/data")
    assert not storage.is_local and storage.names("") == [] and not storage.exists("a/b.bin")
    storage.check_writable()
    assert storage.names("") == []
    storage.write("a/b.bin", b"old")
    storage.write("a/b.bin", b"new")
    assert storage.read("a/b.bin") == b"new" and storage.names("a") == ["b.bin"] and storage.names("") == ["a"]
    local = tmp_path / "clip.mp4"
    local.write_bytes(b"media")
    storage.put(local, "a/clip.mp4")
    assert not local.exists() and storage.names("a") == ["b.bin", "clip.mp4"]
    with storage.local("a/clip.mp4") as copy:
        assert copy.read_bytes() == b"media"
    storage.remove("a/b.bin")
    storage.remove("a/b.bin")
    assert storage.names("a") == ["clip.mp4"]
    with pytest.raises(FileNotFoundError):
        storage.read("a/b.bin")


def test_a_name_that_another_process_writes_after_a_listing_is_visible(bucket: str) -> None:
    storage = Storage(f"{bucket}/data")
    storage.write("parts/0.parquet", b"first")
    assert storage.names("parts") == ["0.parquet"]
    program = (
        "from vidal.storage.storage import Storage; storage = Storage('s3://bucket/data');"
        "storage.write('parts/1.parquet', b'second'); storage.remove('parts/0.parquet')"
    )
    assert run("-c", program).returncode == 0
    assert storage.exists("parts/1.parquet") and not storage.exists("parts/0.parquet")
    assert storage.read("parts/1.parquet") == b"second"
    assert storage.names("parts") == ["1.parquet"]


def test_a_missing_s3fs_is_one_line_that_names_the_extra(tmp_path: Path) -> None:
    (tmp_path / "clips.csv").write_text("url\nhttp://127.0.0.1:1/a.mp4\n")
    # An entry of None in sys.modules is Python's own way to make an import fail.
    program = "import sys; sys.modules['s3fs'] = None; from vidal.cli.main import main; main()"
    build = ("build-shard", "0", "--recipe", "catalogue", "--catalogue", str(tmp_path / "clips.csv"))
    done = run("-c", program, *build, "--out", "s3://bucket/data")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert "s3://bucket/data" in done.stderr and "pip install 'vidal-datasets[s3]'" in done.stderr


def test_twelve_clips_are_built_rerun_and_validated_on_s3_with_no_terminal(bucket, serve_folder, tmp_path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    for number in range(12):
        write_video(site / f"{number}.mp4", frames=24 + 2 * number)
    base = serve_folder(site)
    rows = [{"url": f"{base}/{number}.mp4", "title": f"A gray wall, take {number}"} for number in range(12)]
    pd.DataFrame(rows).to_csv(tmp_path / "clips.csv", index=False)
    build = ("-m", "vidal.cli", "build-shard", "0", "--recipe", "catalogue", "--catalogue", str(tmp_path / "clips.csv"),
             "--allow-host", "127.0.0.1", "--out", f"{bucket}/data", *sets(*LIGHT, *ALL_STAY))  # fmt: skip
    first = run(*build)
    assert first.returncode == 0, first.stdout[-2000:] + first.stderr[-3000:]
    assert "was built before" not in first.stdout
    manifest = Storage(f"{bucket}/data").read_table("shard-00000.parquet")
    assert sorted(manifest["url"].to_pylist()) == sorted(row["url"] for row in rows)
    again = run(*build)
    assert again.returncode == 0, again.stdout[-2000:] + again.stderr[-3000:]
    assert "shard 0 was built before" in again.stdout
    checked = run("-m", "vidal.cli", "validate", f"{bucket}/data")
    assert checked.returncode == 0, checked.stdout[-2000:] + checked.stderr[-3000:]
    assert "12 rows, 0 problems" in checked.stdout


@pytest.mark.parametrize("command", ["build-shard 0 --recipe embedded --out", "validate", "report", "clean"])
def test_no_credentials_no_bucket_and_no_protocol_are_one_line(bucket: str, monkeypatch, command: str) -> None:
    def refused(out: str) -> str:
        s3fs.S3FileSystem.clear_instance_cache()  # The next one reads the environment again.
        done = vidal_inline(*command.split(), out)
        assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr
        return done.stderr

    assert "s4" in refused("s4://bucket/data")
    assert "bucket does not exist" in (line := refused("s3://nowhere/data")) or "is not a vidal dataset" in line
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    assert "check the credentials in AWS_ACCESS_KEY_ID" in refused(f"{bucket}/data")
