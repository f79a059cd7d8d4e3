"""Executors: the same parts on Ray and in this process; on Ray, streaming and processes that die."""

import os
import re
import subprocess
import sys
import time
import urllib.request

import pytest

from tests.conftest import ROOT
from tests.support.stages_for_tests import (
    BUGGY,
    CROWDED,
    CROWDED_NEXT,
    DEADLY,
    FIRST,
    KILLER,
    SPREAD,
    UNOPENED,
    recipe,
    seed_parts,
)
from vidal.config.loading import load_recipe
from vidal.errors import StageError, UserError
from vidal.pipeline.executors import executor_of
from vidal.pipeline.executors.pools import pools
from vidal.pipeline.parts import outcomes_of
from vidal.pipeline.stage import Runtime
from vidal.schema import Reason
from vidal.stages.order import STAGES
from vidal.storage import layout
from vidal.storage.storage import Storage

pytestmark = pytest.mark.xdist_group("ray")


@pytest.fixture(scope="module", params=["ray", "inline"])
def executor(request):
    if request.param == "ray":
        return request.getfixturevalue("on_ray")
    return executor_of(recipe(executor="inline"))


def test_a_process_that_dies_on_a_record_costs_that_record(on_ray, tmp_path):
    out = str(tmp_path)
    parts = seed_parts(out, parts=4, size=3)
    with on_ray.pipeline([FIRST, KILLER], Runtime(out, "run")) as run:
        run(parts)
    storage = Storage(out)
    names = [f"_stages/killer/shard-00000/part-{part:05d}.parquet" for part in range(4)]
    values = sorted(row["value"] for name in names for row in storage.read_table(name).to_pylist())
    assert values == [value * 10 for value in (0, 3, 4, 6, 7, 8, 9, 10, 11)]  # All but c1, c2 and the killer, c5.
    crashed = [row for row in outcomes_of(storage, [KILLER], 0, range(4)) if row["reason"] == Reason.CRASHED.value]
    assert [row["id"] for row in crashed] == ["c5-clip"]
    assert storage.names("_stages/killer/shard-00000") == sorted(
        [name.rsplit("/", 1)[1] for name in names] + [f"part-{part:05d}.ledger.parquet" for part in range(4)]
    )


def test_every_node_exports_the_work_of_the_stages_for_prometheus(on_ray, tmp_path):
    import ray

    parts = seed_parts(str(tmp_path), parts=2, size=3)
    node = ray.nodes()[0]
    with on_ray.pipeline([FIRST, BUGGY], Runtime(str(tmp_path), "run")) as run:
        run(parts)
        address = f"http://{node['NodeManagerAddress']}:{node['MetricsExportPort']}/metrics"

        def exported(stage):
            lines = urllib.request.urlopen(address, timeout=10).read().decode().splitlines()
            own = [line for line in lines if f'stage="{stage}"' in line]
            pattern = r'ray_vidal_records\w*{.*reason="(\w+)".*status="(\w+)".*} ([\d.]+)'
            records = [match.groups() for line in own if (match := re.match(pattern, line))]
            return {(status, reason): float(count) for reason, status, count in records}, len(own) - len(records)

        wait_until(lambda: exported("buggy")[1] >= 3)  # Seconds by two clocks, and bytes.
        assert exported("buggy")[0] == {("kept", "ok"): 3, ("failed", "quarantined"): 1}
        assert exported("first")[0] == {("kept", "ok"): 4, ("failed", "http_404"): 1, ("dropped", "too_long"): 1}


def test_a_process_that_works_on_several_parts_dies_for_one_record_alone(on_ray, tmp_path):
    parts = seed_parts(str(tmp_path), parts=4, size=4)
    with on_ray.pipeline([CROWDED], Runtime(str(tmp_path), "run")) as run:
        run(parts)
    rows = outcomes_of(Storage(str(tmp_path)), [CROWDED], 0, range(4))
    assert [row["id"] for row in rows if row["status"] != "kept"] == ["c5"]
    assert {row["reason"] for row in rows} == {Reason.OK.value, Reason.CRASHED.value} and len(rows) == 16


def test_stages_that_share_a_process_and_work_on_several_parts_lose_one_record_each(tmp_path):
    """While one stage works on several parts, the other has one of them: whichever dies, the other's records are not blamed."""
    parts = seed_parts(str(tmp_path), parts=4, size=4)
    fused = executor_of(load_recipe("embedded", ("resources.crowded_next.fuse=true",)))
    with fused.session(), fused.pipeline([CROWDED, CROWDED_NEXT], Runtime(str(tmp_path), "run")) as run:
        run(parts)
    rows = outcomes_of(Storage(str(tmp_path)), [CROWDED, CROWDED_NEXT], 0, range(4))
    lost = {row["id"]: row["reason"] for row in rows if row["status"] != "kept"}
    assert lost == {"c5": Reason.CRASHED.value, "c9-clip": Reason.CRASHED.value}


@pytest.mark.parametrize("most", [2, 40])
def test_workers_beyond_the_minimum_get_parts_once_they_have_started_and_not_before(on_ray, tmp_path, most):
    """The cluster has room for two workers: more are asked for in vain, and no part waits for them."""
    import ray

    half = ray.cluster_resources()["CPU"] / 2
    own = load_recipe("embedded", (f"resources.spread={{cpus: {half}, workers: [1, {most}]}}",))
    parts = seed_parts(str(tmp_path), parts=24, size=3)
    with executor_of(own).pipeline([SPREAD], Runtime(str(tmp_path), "run")) as run:
        run(parts)
    names = [layout.part_table("spread", 0, index) for index in range(24)]
    rows = [row for name in names for row in Storage(str(tmp_path)).read_table(name).to_pylist()]
    assert len(rows) == 72 and len({row["value"] for row in rows}) == 2


def test_a_stage_of_one_part_at_a_time_refuses_another_number():
    with pytest.raises(
        UserError,
        match=r"resources\.keyframes\.parts_at_once: this stage ignores the key and uses 1: remove the key",
    ):
        pools([STAGES["keyframes"]], load_recipe("embedded", ("resources.keyframes.parts_at_once=2",)))
    depth = STAGES["depth"]
    for settings, count in (
        ("{cpus: 1}", 1),
        ("{gpus: 1}", 4),
        ("{gpu_memory: 2}", 4),
        ("{gpus: 1, parts_at_once: 2}", 2),
    ):
        own = load_recipe("embedded", (f"resources.depth={settings}",))
        assert [spec.parts_at_once(own) for spec in pools([depth], own)] == [count]


def test_parts_that_are_found_slowly_do_not_keep_the_others_waiting(executor, tmp_path):
    """The candidates of a shard are searched for while the parts of the one before are at work."""
    parts, ended = seed_parts(str(tmp_path), parts=3, size=2), []

    def found():
        yield parts[0]
        yield parts[1]
        if executor.__class__.__name__ == "RayExecutor":
            wait_until(lambda: len(ended) == 2)
        yield parts[2]

    with executor.pipeline([FIRST, BUGGY], Runtime(str(tmp_path), "run")) as run:
        run(found(), finished=ended.append)
    assert sorted(part.index for part in ended) == [0, 1, 2]


def test_an_error_of_the_search_ends_the_run_as_it_is(executor, tmp_path):
    def found():
        yield seed_parts(str(tmp_path), parts=1, size=1)[0]
        raise UserError("no such list")

    with (
        executor.pipeline([FIRST], Runtime(str(tmp_path), "run")) as run,
        pytest.raises(UserError, match="no such list"),
    ):
        run(found())


def wait_until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


def test_a_bug_on_one_record_leaves_the_others_alone(executor, tmp_path):
    out = str(tmp_path)
    parts = seed_parts(out, parts=3, size=3)
    with executor.pipeline([FIRST, BUGGY], Runtime(out, "run")) as run:
        run(parts)
    quarantined = outcomes_of(Storage(out), [BUGGY], 0, range(3))
    assert [(row["id"], row["reason"]) for row in quarantined] == [("c4-clip", Reason.QUARANTINED.value)]
    rows = [Storage(out).read_table(f"_stages/buggy/shard-00000/part-{n:05d}.parquet").num_rows for n in range(3)]
    assert rows == [1, 2, 3]


def test_what_ends_a_run_on_ray_is_raised_as_it_was(on_ray, tmp_path):
    parts = seed_parts(str(tmp_path), parts=1, size=1)
    with (
        on_ray.pipeline([UNOPENED], Runtime(str(tmp_path), "run")) as run,
        pytest.raises(UserError, match="no weights here"),
    ):
        run(parts)


def test_a_stage_that_kills_the_process_while_it_opens_ends_the_run(on_ray, tmp_path):
    parts = seed_parts(str(tmp_path), parts=1, size=1)
    runtime = Runtime(str(tmp_path), "run", warm=frozenset({"deadly"}))
    with on_ray.pipeline([DEADLY], runtime) as run, pytest.raises(StageError, match="died 3 times while stage deadly"):
        run(parts)


def test_a_worker_on_ray_runs_at_our_own_niceness(on_ray):
    assert on_ray.run_once(niceness) == niceness()


def length(text):
    return len(text)


def niceness():
    return os.getpriority(os.PRIO_PROCESS, 0)


def test_work_beside_a_pipeline_that_holds_every_cpu_is_still_done(on_ray, tmp_path):
    """Candidates are found while the workers start: were they given no CPU, both would wait for ever."""
    greedy = load_recipe("embedded", ("resources.first={cpus: 2}",))
    with executor_of(greedy).pipeline([FIRST], Runtime(str(tmp_path), "run")) as run:
        run(seed_parts(str(tmp_path), parts=1, size=1))  # Its worker has started, and holds both CPUs.
        assert on_ray.run_once(niceness) == niceness()
        assert sorted(on_ray.spread(length, ["a", "bb", "ccc"])) == [1, 2, 3]


def test_the_recipe_fuses_light_stages_into_one_process():
    grouped = pools(list(STAGES.values()), recipe())
    assert [[stage.name for stage in pool.stages] for pool in grouped] == [
        ["crawl"],
        ["keyframes", "measure"],
        ["similarity", "filter", "depth", "infrared", "audio", "captions", "sound"],
        ["enhanced", "grounding", "manifest"],
    ]
    assert sum(pool.resources.cpus * pool.resources.workers[1] for pool in grouped) <= 2


_MORE_THAN_HERE = """
import os, ray
from vidal.config.loading import load_recipe
from vidal.pipeline.executors import executor_of
from vidal.stages.order import STAGES
cpus = os.cpu_count() + 1
recipe = load_recipe("embedded", (f"resources.crawl={{cpus: {cpus}}}",))
with executor_of(recipe).session([STAGES["crawl"], STAGES["keyframes"]]):
    print(ray.cluster_resources()["CPU"] - cpus)
"""


def test_a_pipeline_that_holds_more_cpus_than_this_machine_has_does_not_wait_for_ever():
    environment = {key: value for key, value in os.environ.items() if key != "RAY_ADDRESS"}
    done = subprocess.run(
        [sys.executable, "-c", _MORE_THAN_HERE], env=environment, cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) >= 0.3  # Those of keyframes.
