"""Minutes long: killed processes, a Ray cluster, damaged clips, a cold start and its memory. `make soak` has the long forms."""

import os
import random
import time
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from tests.support.inline import vidal_inline
from tests.support.kills import TABLE, finish, kill_drivers, kill_workers, start
from tests.support.make import make
from tests.support.ray_head import ray_head
from tests.support.shared_clips import build_all

pytestmark = pytest.mark.slow


def test_killing_the_driver_three_times_changes_no_byte(embedded, tmp_path):
    killed = kill_drivers(tmp_path / "data", 3, random.Random(1))
    print(f"\ndrivers killed: {killed}")
    assert killed >= 2
    assert finish(tmp_path / "data") == (embedded / TABLE).read_bytes()


@pytest.fixture
def cluster(tmp_path):
    with ray_head(tmp_path / "head.log") as address:
        yield address


def test_a_job_on_a_ray_cluster_gives_the_same_bytes(embedded, cluster, tmp_path):
    out = tmp_path / "data"
    done = make("submit-shard", "N=0", f"RAY_ADDRESS={cluster}", f"OUT={out}")
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    assert (out / TABLE).read_bytes() == (embedded / TABLE).read_bytes()


def test_the_inline_executor_gives_the_same_bytes(embedded, tmp_path):
    done = vidal_inline("build-shard", "0", "--recipe", "embedded", "--out", str(tmp_path / "data"))
    assert done.returncode == 0, done.stderr[-3000:]
    assert (tmp_path / "data" / TABLE).read_bytes() == (embedded / TABLE).read_bytes()


def test_a_cold_start_whose_workers_are_killed_gives_the_same_bytes_and_stays_under_6_gb(embedded, tmp_path):
    """What is unpacked once a machine is unpacked anew. `make soak` drops the kernel's pages too."""
    process = start(tmp_path / "data", {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")})
    with ThreadPoolExecutor() as pool:
        peak = pool.submit(peak_memory, process)
        killed = kill_workers(process, 3, random.Random(2))
        print(f"\nworkers killed: {killed}; peak of all processes: {peak.result() / 1e9:.2f} GB")
    assert killed >= 2 and list((tmp_path / "cache" / "vidal").iterdir())
    assert (tmp_path / "data" / TABLE).read_bytes() == (embedded / TABLE).read_bytes()
    assert 0 < peak.result() < 6e9


def peak_memory(process):
    """The most bytes that a command and its children hold at a time, until the command ends."""
    peak = 0
    while process.poll() is None:
        peak = max(peak, _memory(process.pid))
        time.sleep(0.5)
    return peak


def _memory(pid):
    """Proportional set sizes: pages that processes share count once."""
    total = 0
    try:
        for each in [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]:
            try:
                total += each.memory_full_info().pss
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
    except psutil.NoSuchProcess:
        return 0
    return total


def test_the_edge_clips_end_in_the_manifest_or_in_the_ledger(shared, serve_folder, tmp_path):
    """Those that are damaged or odd; the others are built for the trainer's tests, and all together in `make soak`."""
    ended, built = build_all(shared, serve_folder(shared), ("videos_edge",), tmp_path)
    assert len(ended) == 15 and len(built) >= 1
    assert ended.reason.isin(["corrupt", "truncated"]).any()
