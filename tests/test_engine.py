"""Stages on Ray: streaming, and processes that die."""

import pytest

from tests.stages_for_tests import BUGGY, FIRST, KILLER, recipe, seed_parts
from vidal import engine
from vidal.parts import outcomes_of
from vidal.schema import Reason
from vidal.stage import Runtime
from vidal.stages import STAGES
from vidal.storage import Storage


@pytest.fixture(scope="module")
def session():
    with engine.session(recipe()):
        yield


def test_a_process_that_dies_on_a_record_costs_that_record(session, tmp_path):
    out = str(tmp_path)
    parts = seed_parts(out, parts=4, size=3)
    seen = []
    engine.run_parts([FIRST, KILLER], recipe(), Runtime(out, 0, "run"), parts, lambda: seen.append(1))
    assert len(seen) == 4
    storage = Storage(out)
    names = [f"_stages/killer/shard-00000/part-{part:05d}.parquet" for part in range(4)]
    values = sorted(row["value"] for name in names for row in storage.read_table(name).to_pylist())
    assert values == [value * 10 for value in (0, 3, 4, 6, 7, 8, 9, 10, 11)]  # All but c1, c2 and the killer, c5.
    crashed = [row for row in outcomes_of(storage, [KILLER], 0, range(4)) if row["reason"] == Reason.CRASHED.value]
    assert [row["id"] for row in crashed] == ["c5-clip"]
    assert storage.names("_stages/killer/shard-00000") == sorted(
        [name.rsplit("/", 1)[1] for name in names] + [f"part-{part:05d}.ledger.parquet" for part in range(4)]
    )


def test_a_bug_in_one_part_leaves_the_others_alone(session, tmp_path):
    out = str(tmp_path)
    parts = seed_parts(out, parts=3, size=3)
    engine.run_parts([FIRST, BUGGY], recipe(), Runtime(out, 0, "run"), parts)
    reasons = [row["reason"] for row in outcomes_of(Storage(out), [BUGGY], 0, range(3))]
    assert reasons == [Reason.QUARANTINED.value] * 3
    assert Storage(out).read_table("_stages/buggy/shard-00000/part-00002.parquet").num_rows == 3


def test_the_recipe_fuses_light_stages_into_one_process():
    pools = [[stage.name for stage in stages] for stages, _ in engine.pools(list(STAGES.values()), recipe())]
    assert pools == [
        ["crawl"],
        ["keyframes", "measure"],
        ["similarity", "filter", "depth", "infrared", "audio"],
        ["captions", "sound"],
        ["enhanced", "grounding", "manifest"],
    ]
    assert sum(resources.cpus for _, resources in engine.pools(list(STAGES.values()), recipe())) <= 2
