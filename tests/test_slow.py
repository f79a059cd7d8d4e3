"""Minutes long: processes killed at random, a Ray cluster, all shared clips, peak memory. `make test-slow` runs them."""

import json
import math
import os
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
# Of drivers, and of workers. CI has little time: VIDAL_KILLS=10 make test-slow.
KILLS = int(os.environ.get("VIDAL_KILLS", "5"))
COMMAND = [sys.executable, "-m", "vidal.cli", "build-shard", "0", "--recipe", "embedded", "--out"]


def start(out, *arguments):
    quiet = subprocess.DEVNULL
    return subprocess.Popen([*COMMAND, str(out), *arguments], stdout=quiet, stderr=quiet, cwd=ROOT)


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


def test_killing_the_driver_changes_no_byte(embedded, tmp_path):
    chance = random.Random(1)
    out = tmp_path / "data"
    killed = 0
    for _ in range(KILLS):
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


def test_killing_workers_changes_no_byte(embedded, tmp_path):
    """At random moments while they hold stages, five in a build."""
    chance = random.Random(2)
    killed = 0
    for build in range(math.ceil(KILLS / 5)):
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
    assert killed >= 4


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


def test_all_shared_clips_end_in_the_manifest_or_in_the_ledger_within_6_gb(shared, serve_folder, tmp_path):
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
    process = start(out, "--catalogue", str(tmp_path / "clips.csv"), "--allow-host", "127.0.0.1")
    peak = 0
    while process.poll() is None:
        peak = max(peak, _memory(process.pid))
        time.sleep(0.5)
    assert process.returncode == 0
    print(f"\npeak of all processes: {peak / 1e9:.2f} GB")
    assert 0 < peak < 6e9
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
