"""Temporary folders: those of a process that was killed are removed by the next one."""

import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT
from vidal.storage import scratch

WORKER = """
import time
from vidal.storage import scratch

with scratch.folder("film") as folder:
    (folder / "film.mp4").write_bytes(b"x")
    print(folder, flush=True)
    time.sleep(600)
"""


def test_folders_of_a_killed_process_are_removed_by_the_next_one_and_those_of_others_stay(tmp_path, monkeypatch):
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
        elsewhere = tmp_path / killed.name.replace(scratch._HOST, f"{scratch._HOST}2")
        elsewhere.mkdir()
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        with scratch.folder("film") as mine:
            assert sorted(tmp_path.iterdir()) == sorted([alive, elsewhere, mine])
        assert not mine.exists()
    finally:
        for process in workers:
            process.kill()
            process.wait()
