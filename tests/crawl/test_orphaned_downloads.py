"""Downloads of a worker that was killed are removed by the next worker."""

import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT
from vidal.crawl.download_cache import DownloadCache

HOLDS = """
import sys, time
from vidal.crawl.download_cache import DownloadCache

def fetch(folder):
    (folder / "film.mp4").write_bytes(b"x")
    print(folder, flush=True)
    time.sleep(600)

with DownloadCache(2).borrow("http://a/film", fetch):
    pass
"""


def test_what_a_killed_worker_left_is_removed_by_the_next_and_what_lives_is_kept(tmp_path, monkeypatch):
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    held = [
        subprocess.Popen([sys.executable, "-c", HOLDS], stdout=subprocess.PIPE, text=True, env=environment)
        for _ in range(2)
    ]
    try:
        killed, alive = (Path(process.stdout.readline().strip()) for process in held)
        held[0].kill()
        held[0].wait()
        assert (killed / "film.mp4").exists() and (alive / "film.mp4").exists()
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        DownloadCache(2)
        assert not killed.exists() and (alive / "film.mp4").exists()
    finally:
        for process in held:
            process.kill()
            process.wait()
