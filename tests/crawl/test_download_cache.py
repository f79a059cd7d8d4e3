"""Downloads are removed when their crawler is closed and, where it was killed, by the next one."""

import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT
from vidal.crawl.download_cache import DownloadCache
from vidal.sources.source import Fetched

WORKER = """
import sys, time
from vidal.crawl.download_cache import DownloadCache

def fetch(folder):
    (folder / "film.mp4").write_bytes(b"x")
    print(folder, flush=True)
    time.sleep(600)

with DownloadCache(2).borrow("http://a/film", fetch):
    pass
"""


def test_downloads_of_a_killed_worker_are_removed_by_the_next_one_and_those_of_a_live_one_stay(tmp_path, monkeypatch):
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    workers = [
        subprocess.Popen([sys.executable, "-c", WORKER], stdout=subprocess.PIPE, text=True, env=environment)
        for _ in range(2)
    ]
    try:
        killed, alive = (Path(process.stdout.readline().strip()) for process in workers)
        workers[0].kill()
        workers[0].wait()
        assert (killed / "film.mp4").exists() and (alive / "film.mp4").exists()
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        DownloadCache(2)
        assert not killed.exists() and (alive / "film.mp4").exists()
    finally:
        for process in workers:
            process.kill()
            process.wait()


def test_a_crawler_that_is_closed_leaves_no_files_behind(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    downloads = DownloadCache(2)

    def fetch(folder):
        (folder / "film.mp4").write_bytes(b"x")
        return Fetched(folder / "film.mp4"), 1

    with downloads.borrow("http://a/1", fetch), downloads.borrow("http://a/2", fetch):
        pass
    with downloads.borrow("http://a/3", fetch) as (fetched, _):
        downloads.close()
        assert [path.name for path in tmp_path.rglob("*.mp4")] == ["film.mp4"] and fetched.path.exists()
    assert not list(tmp_path.iterdir())
