"""Minutes long: processes killed at random, a Ray cluster, all shared clips, peak memory. `make test-slow` runs them."""

import json
import random
import signal
import subprocess
import sys
import time

import pandas as pd
import psutil
import pytest

from tests.conftest import ROOT, vidal
from tests.ray_head import ray_head

pytestmark = pytest.mark.slow
COMMAND = [sys.executable, "-m", "vidal.cli", "build-shard", "0", "--recipe", "embedded", "--out"]


def start(out):
    quiet = subprocess.DEVNULL
    return subprocess.Popen([*COMMAND, str(out)], stdout=quiet, stderr=quiet, cwd=ROOT)


def workers_of(process):
    """Ray's workers that hold stages: the raylet's children."""
    try:
        found = psutil.Process(process.pid).children(recursive=True)
        return [each for each in found if "MapWorker" in each.name() or "MapWorker" in " ".join(each.cmdline())]
    except psutil.NoSuchProcess:
        return []


def finish(out):
    assert start(out).wait(timeout=600) == 0
    return (out / "shard-00000.parquet").read_bytes()


def test_killing_the_driver_ten_times_changes_no_byte(embedded, tmp_path):
    chance = random.Random(1)
    out = tmp_path / "data"
    killed = 0
    for _ in range(10):
        process = start(out)
        try:
            process.wait(timeout=chance.uniform(8, 35))
            break
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            killed += 1
            time.sleep(2)  # Its cluster notices and goes.
    print(f"\ndrivers killed: {killed}")
    assert killed >= 3
    assert finish(out) == (embedded / "shard-00000.parquet").read_bytes()


def test_killing_a_worker_ten_times_changes_no_byte(embedded, tmp_path):
    """Five workers in each of two builds, at random moments while they hold stages."""
    chance = random.Random(2)
    killed = 0
    for build in range(2):
        out = tmp_path / f"data-{build}"
        process = start(out)
        while process.poll() is None and not workers_of(process):
            time.sleep(0.5)
        for _ in range(5):
            time.sleep(chance.uniform(1, 18))
            if found := workers_of(process):
                chance.choice(found).send_signal(signal.SIGKILL)
                killed += 1
        assert process.wait(timeout=600) == 0
        assert (out / "shard-00000.parquet").read_bytes() == (embedded / "shard-00000.parquet").read_bytes()
    print(f"\nworkers killed: {killed}")
    assert killed >= 8


@pytest.fixture
def cluster(tmp_path):
    with ray_head(tmp_path / "head.log") as address:
        yield address


def test_a_job_on_a_ray_cluster_gives_the_same_bytes(embedded, cluster, tmp_path):
    out = tmp_path / "data"
    command = ["make", "submit-shard", "N=0", f"RAY_ADDRESS={cluster}", f"OUT={out}", f"VENV={sys.prefix}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False, cwd=ROOT)
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    assert (out / "shard-00000.parquet").read_bytes() == (embedded / "shard-00000.parquet").read_bytes()


def test_all_shared_clips_end_in_the_manifest_or_in_the_ledger(shared, serve_folder, tmp_path):
    base = serve_folder(shared)
    rows = []
    for index in ("videos", "videos_edge"):
        for line in (shared / index / "index.jsonl").read_text().splitlines():
            entry = json.loads(line)
            caption = entry.get("caption") or entry["description"]
            rows.append({"url": f"{base}/{entry['file']}", "title": caption, "licence": entry["licence"]})
    assert len(rows) == 47
    pd.DataFrame(rows).to_csv(tmp_path / "clips.csv", index=False)
    out = tmp_path / "out"
    done = vidal("build-shard", "0", "--recipe", "embedded", "--catalogue", str(tmp_path / "clips.csv"),
                 "--allow-host", "127.0.0.1", "--out", str(out), "--json", timeout=1500)  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    built, ledger = pd.read_parquet(out), pd.read_parquet(out / "_ledger")
    candidates = ledger[ledger.subject == "candidate"]
    assert len(candidates) == 47
    clips = ledger[ledger.subject == "clip"]
    assert set(clips.parent_id) == set(candidates[candidates.status == "kept"].id)
    ended = pd.concat([candidates[candidates.status != "kept"], clips])
    assert len(ended) == 47 and ended.reason.notna().all()
    print("\n" + ended.groupby(["status", "reason"]).size().to_string())
    corrupt = ended[ended.reason.isin(["corrupt", "truncated"])]
    assert len(corrupt) >= 1 and not ended.reason.isin(["crashed", "quarantined"]).any()
    assert len(built) >= 20
    assert vidal("validate", str(out)).returncode == 0


def test_peak_memory_of_all_processes_stays_under_6_gb(tmp_path):
    process = start(tmp_path / "data")
    peak = 0
    while process.poll() is None:
        peak = max(peak, _memory(process.pid))
        time.sleep(0.5)
    assert process.returncode == 0
    print(f"\npeak of all processes: {peak / 1e9:.2f} GB")
    assert 0 < peak < 6e9


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
