"""Stored results are used again only under the identity that made them."""

import pyarrow as pa

from vidal.pipeline import incremental
from vidal.pipeline.stage import WorkIdentity
from vidal.schema import LEDGER
from vidal.storage import layout
from vidal.storage.storage import Storage

NAME = "_stages/depth/shard-00000/part-00000"


def store(storage, name, version, clips):
    """A part with one row for each clip, made by a version of the stage."""
    table = pa.table({"clip_id": clips, "depth": [f"{clip} by {version}" for clip in clips]})
    identity = WorkIdentity({"depth": version}, "choices")
    storage.write_table(
        f"{name}.parquet", table, incremental.metadata(identity, {clip: f"digest of {clip}" for clip in clips})
    )
    storage.write_table(f"{name}.ledger.parquet", LEDGER.empty_table())


def test_results_of_an_older_version_are_not_taken_for_those_of_the_part(tmp_path):
    storage = Storage(str(tmp_path))
    store(storage, layout.retained(NAME), 1, ["a", "b"])
    store(storage, NAME, 2, ["b", "c"])
    current = WorkIdentity({"depth": 2}, "choices")
    for keep_stale in (False, True):
        stored = incremental.stored(storage, NAME, "clip_id", current, keep_stale)
        assert stored.identity == current
        assert [row["depth"] for row in stored.rows] == ["b by 2", "c by 2"]


def test_results_of_one_older_version_are_kept_under_its_identity(tmp_path):
    storage = Storage(str(tmp_path))
    store(storage, layout.retained(NAME), 1, ["a"])
    store(storage, NAME, 1, ["b"])
    current = WorkIdentity({"depth": 2}, "choices")
    assert incremental.stored(storage, NAME, "clip_id", current).results == {}
    stored = incremental.stored(storage, NAME, "clip_id", current, keep_stale=True)
    assert stored.identity == WorkIdentity({"depth": 1}, "choices") and sorted(stored.results) == ["a", "b"]
