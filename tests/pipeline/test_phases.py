"""Pipelines that a cluster cannot hold at once, on a real Ray with fake GPUs; and the life of the cluster's rate limiter."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest

from tests.conftest import LIGHT, ROOT, sets, write_video
from tests.support.ray_node import ray_node
from vidal.config.loading import load_recipe
from vidal.dataset.estimate import Cluster, estimate
from vidal.dataset.measured import measure

pytestmark = pytest.mark.xdist_group("ray-head")
# 2.3 GPUs at once: 0.8 for the crawl, 1 for the keyframes, 0.5 for the rest.
GREEDY = ("resources.crawl={cpus: 0.2, gpus: 0.8}", "resources.keyframes={cpus: 0.2, gpus: 1}",
          "resources.similarity={cpus: 0.2, gpus: 0.5}")  # fmt: skip
STAY = ("filters.similarity_min=null", "duplicates={exact: false, near: false}", "crawl.requests_per_s=1000", "crawl.burst=1000",
        "crawl.retrieved_at=2026-01-01T00:00:00Z", "shard_candidates=3", "engine.part_size=2")  # fmt: skip


@pytest.fixture(scope="module")
def head():
    """A Ray head with one GPU that does not exist."""
    with ray_node(num_cpus=4, num_gpus=1) as address:
        yield address


@pytest.fixture(scope="module")
def listed(tmp_path_factory, serve_folder):
    folder = tmp_path_factory.mktemp("phases")
    (folder / "media").mkdir()
    for index in range(5):
        write_video(folder / "media" / f"{index}.mp4", frames=10 + index, size=(64 + 2 * index, 48))
    base = serve_folder(folder / "media")
    pd.DataFrame([{"url": f"{base}/{index}.mp4", "title": f"A cat {index}"} for index in range(5)]).to_csv(
        folder / "c.csv", index=False
    )
    return folder / "c.csv"


def command(listed, out, *settings):
    return [sys.executable, "-m", "vidal.cli", "build-shard", "0-1", "--recipe", "embedded", "--catalogue", str(listed),
            "--out", str(out), "--allow-host", "127.0.0.1", *sets(*LIGHT, *STAY, *settings)]  # fmt: skip


def build(listed, out, *settings, address=None):
    environment = {key: value for key, value in os.environ.items() if key != "RAY_ADDRESS"}
    if address:
        environment["RAY_ADDRESS"] = address
    return subprocess.run(
        command(listed, out, *settings),
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=280,
        check=False,
        env=environment,
    )


def test_a_pipeline_of_more_gpus_than_there_are_runs_in_phases_with_the_same_bytes(head, listed, tmp_path):
    done = build(listed, tmp_path / "phases", *GREEDY, address=head)
    assert done.returncode == 0, done.stderr
    assert (
        "the cluster cannot hold all stages at once: they run in 3 phases: crawl; keyframes, measure; similarity,"
        in done.stdout
    )
    alone = build(listed, tmp_path / "inline", "engine.executor=inline")
    assert alone.returncode == 0, alone.stderr
    manifests = [
        {path.name: path.read_bytes() for path in (tmp_path / out).glob("shard-*.parquet")}
        for out in ("phases", "inline")
    ]
    assert len(manifests[0]) == 2 and manifests[0] == manifests[1]
    measured = measure(str(tmp_path / "phases"))
    held = {name: cost.gpu_s for name, cost in measured.stages.items() if cost.gpu_s}
    assert {"crawl", "keyframes", "similarity"} <= set(held)
    assert not any(cost.gpu_s for cost in measure(str(tmp_path / "inline")).stages.values())
    recipe = load_recipe("embedded", LIGHT)
    planned = estimate(recipe, 10 * measured.clips, measured, Cluster(gpus=2))
    hours = {stage.stage: stage.gpu_hours for stage in planned.stages}
    assert hours["keyframes"] == pytest.approx(held["keyframes"] * 10 / 3600)
    assert planned.gpu_days == pytest.approx(sum(hours.values()) / 24 / 2)
    assert "--cluster names no GPU" in estimate(recipe, 100, measured, Cluster()).bottleneck


def test_a_stage_that_asks_for_more_gpus_than_a_node_has_is_refused_before_work(head, listed, tmp_path):
    done = build(listed, tmp_path / "out", "resources.keyframes={cpus: 0.2, gpus: 2}", address=head)
    assert done.returncode == 2, done.stderr
    assert (
        done.stderr.strip()
        .splitlines()[-1]
        .startswith("vidal: resources.keyframes: a worker with 0.2 CPUs and 2 GPUs does not fit")
    )
    assert not list((tmp_path / "out").glob("_stages/*"))


_HOLDER = """
import sys, time
import ray
from vidal.pipeline.executors.ray_limiter import LimiterHold
ray.init(address=sys.argv[1], log_to_driver=False)
hold = LimiterHold(int(sys.argv[2]))
print("held", flush=True)
if sys.argv[3] == "wait":
    time.sleep(600)
hold.end()
"""
_NAMES = """
import sys, json
import ray
ray.init(address=sys.argv[1], log_to_driver=False)
print(json.dumps(sorted(each["name"] for each in ray.util.list_named_actors(all_namespaces=True) if each["namespace"] == "vidal")))
"""


def limiters(head):
    done = subprocess.run([sys.executable, "-c", _NAMES, head], capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


@contextlib.contextmanager
def holder(head, protocol, what):
    """A job that holds the limiter of a protocol: until it ends, or (wait) until it is killed."""
    command = [sys.executable, "-c", _HOLDER, head, str(protocol), what]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout and process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_the_limiter_ends_with_its_last_job_even_if_that_was_killed_and_protocols_do_not_meet(head):
    with holder(head, 1, "wait") as killed, holder(head, 2, "wait"):
        assert limiters(head) == ["crawl-rate-limiter-1", "crawl-rate-limiter-2"]
        with holder(head, 1, "end") as ended:
            assert ended.wait(60) == 0
        assert limiters(head) == ["crawl-rate-limiter-1", "crawl-rate-limiter-2"]  # Another job still holds it.
        killed.send_signal(signal.SIGKILL)
        end = time.monotonic() + 60
        while "crawl-rate-limiter-1" in limiters(head):
            assert time.monotonic() < end, "a minute after its last job was killed"
            time.sleep(2)
        assert limiters(head) == ["crawl-rate-limiter-2"]
