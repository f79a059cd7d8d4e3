"""Records in batches: neighbours go to a worker at once, and one that fails or kills costs itself alone."""

import multiprocessing
import os
import signal
from pathlib import Path

import pytest
import torch

from tests.support.stages_for_tests import TABLE
from vidal.config.loading import load_recipe
from vidal.errors import RecordError, UserError
from vidal.models.batch_groups import group_into_batches
from vidal.pipeline.batches import batches
from vidal.pipeline.parts import commit_part, outcomes_of
from vidal.pipeline.runner import PartRunner
from vidal.pipeline.settings import Resources
from vidal.pipeline.stage import Batched, Output, Part, Runtime, Stage
from vidal.schema import Reason, Subject
from vidal.storage import layout
from vidal.storage.storage import Storage


class _Worker:
    """Logs what it is given. Value 3 is a bad record, 4 kills the process, 5 is too much only in a batch.

    9 does not fit a GPU with more than one other record.
    """

    def __init__(self, recipe, runtime, storage):
        self._log = Path(storage.root) / "calls.log"

    def size(self, record):
        return record["value"] % 2 + 1

    def __call__(self, record):
        return self.many([record])[0]

    def many(self, records):
        with self._log.open("a") as file:
            file.write(" ".join(str(record["value"]) for record in records) + "\n")
        for record in records:
            if record["value"] == 3:
                raise RecordError(Reason.CORRUPT, "a bad one")
            if record["value"] == 4:
                os.kill(os.getpid(), signal.SIGKILL)
            if record["value"] == 5 and len(records) > 1:
                raise MemoryError("too much at once of http://me:secret@host/a")
            if record["value"] == 9 and len(records) > 2:
                raise torch.OutOfMemoryError("CUDA out of memory")
        return [Output([{"clip_id": record["clip_id"], "value": record["value"] * 10}]) for record in records]


STAGE = Stage(name="batched", subject=Subject.CLIP, reads=("first",), schema=TABLE, open=_Worker, settings=lambda r: None,
              version=1, terminal=True)  # fmt: skip


def run(out, batch_size=3):
    recipe = load_recipe("embedded", (f"resources.batched.batch_size={batch_size}", "engine.record_crashes_max=1"))
    PartRunner(STAGE, recipe, Runtime(out, "run")).run(Part(0, 0))


def seed(out, values):
    rows = [{"clip_id": f"c{value}", "value": value} for value in values]
    commit_part(Storage(out), layout.part("first", 0, 0), rows, [], TABLE, {})


def result(out):
    rows = Storage(out).read_table(layout.part_table("batched", 0, 0)).to_pylist()
    ends = {row["id"]: (row["status"], row["reason"]) for row in outcomes_of(Storage(out), [STAGE], 0, [0])}
    calls = (Path(out) / "calls.log").read_text().split("\n")[:-1]
    return [row["value"] for row in rows], ends, calls


def test_neighbours_go_together_up_to_the_batch_size(tmp_path):
    seed(str(tmp_path), [0, 1, 2, 6, 8, 7, 10])
    run(str(tmp_path))
    values, ends, calls = result(str(tmp_path))
    assert calls == ["0 1", "2 6 8", "7 10"]
    assert values == [0, 10, 20, 60, 80, 70, 100] and set(ends.values()) == {("kept", "ok")}
    assert batches([{"n": 9}, {"n": 1}, {"n": 1}], lambda record: record["n"], 2) == [[{"n": 9}], [{"n": 1}, {"n": 1}]]


def test_a_record_that_fails_in_a_batch_is_blamed_alone(tmp_path):
    seed(str(tmp_path), [0, 3, 2, 5])
    run(str(tmp_path), 100)
    values, ends, calls = result(str(tmp_path))
    assert calls == ["0 3 2 5", "0", "3", "2", "5"]
    assert values == [0, 20, 50]
    assert ends == {"c0": ("kept", "ok"), "c3": ("failed", "corrupt"), "c2": ("kept", "ok"), "c5": ("kept", "ok")}


def test_what_only_a_batch_cannot_do_is_done_alone_and_the_ledger_says_so(tmp_path):
    seed(str(tmp_path), [0, 5])
    run(str(tmp_path), 100)
    details = {row["detail"] for row in outcomes_of(Storage(str(tmp_path)), [STAGE], 0, [0])}
    assert details == {"done alone: its batch failed: MemoryError: too much at once of http://host/a"}


def test_a_batch_that_does_not_fit_a_gpu_is_halved_until_it_does_and_the_ledger_says_so(tmp_path):
    seed(str(tmp_path), [0, 9, 2, 6, 8])
    run(str(tmp_path), 100)
    values, ends, calls = result(str(tmp_path))
    assert calls == ["0 9 2 6 8", "0 9 2", "0 9", "2", "6 8"]
    assert values == [0, 90, 20, 60, 80] and set(ends.values()) == {("kept", "ok")}
    details = {row["detail"] for row in outcomes_of(Storage(str(tmp_path)), [STAGE], 0, [0])}
    assert details == {"done in half a batch: its batch failed: OutOfMemoryError: CUDA out of memory"}


def test_a_record_that_kills_the_worker_in_a_batch_is_found_and_costs_itself_alone(tmp_path):
    """As on Ray: the process dies, another one takes the part up."""
    out = str(tmp_path)
    seed(out, [0, 4, 2])
    codes = []
    while not Storage(out).exists(layout.part_table("batched", 0, 0)):
        assert len(codes) < 4
        process = multiprocessing.get_context("spawn").Process(target=run, args=(out,))
        process.start()
        process.join()
        codes.append(process.exitcode)
    values, ends, calls = result(out)
    assert codes == [-signal.SIGKILL, -signal.SIGKILL, 0]
    assert values == [0, 20]
    assert ends == {"c0": ("kept", "ok"), "c4": ("failed", "crashed"), "c2": ("kept", "ok")}
    assert calls == ["0 4 2", "0", "4", "0", "2"]


def test_a_plain_function_is_no_batched_worker():
    assert isinstance(_Worker(None, None, Storage("memory://x")), Batched)
    assert not isinstance(lambda record: Output([]), Batched)


def test_pictures_of_one_size_go_together_on_a_gpu_and_alone_on_a_cpu():
    sizes = [(64, 48), (48, 64), (64, 48)]
    assert group_into_batches(sizes, "cuda:1") == [[0, 2], [1]]
    assert group_into_batches(sizes, "cpu") == [[0], [1], [2]]


def test_gpu_memory_becomes_a_share_of_the_gpu_and_is_passed_over_where_there_is_none():
    from vidal.pipeline.executors.pools import gpu_share

    assert gpu_share(Resources(gpu_memory=4), 16.0, "depth") == 0.25
    assert gpu_share(Resources(gpu_memory=1), 24.0, "depth") == 0.0417  # Rounded up: 24 of them do not fit.
    assert gpu_share(Resources(gpu_memory=4), None, "depth") == 0
    assert gpu_share(Resources(gpus=0.5), None, "depth") == 0.5
    with pytest.raises(UserError, match=r"resources\.depth\.gpu_memory asks for 80 GB, but a GPU here has 24\.0 GB"):
        gpu_share(Resources(gpu_memory=80), 24.0, "depth")
    with pytest.raises(UserError, match=r"resources\.depth: .*gpus or gpu_memory, not both"):
        load_recipe("embedded", ("resources.depth={gpus: 1, gpu_memory: 4}",))
