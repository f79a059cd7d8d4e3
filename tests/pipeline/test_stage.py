"""A stage over a part, in this process."""

import pytest

from tests.support.stages_for_tests import BUGGY, COUNTED, FIRST, recipe, seed_parts
from vidal.errors import BalanceError
from vidal.pipeline import ledger
from vidal.pipeline.crash_journal import CrashJournal
from vidal.pipeline.parts import commit_part, is_done, outcomes_of
from vidal.pipeline.runner import PartRunner
from vidal.pipeline.stage import Part, Runtime
from vidal.schema import Reason, Status, Subject
from vidal.stages.order import view_names
from vidal.storage.storage import Storage


@pytest.fixture
def out(tmp_path):
    seed_parts(str(tmp_path), parts=2, size=4)
    return str(tmp_path)


def run(stage, out, part=0, settings=None, run_id="run"):
    PartRunner(stage, settings or recipe(), Runtime(out, run_id)).run(Part(0, part))


def calls(out):
    return (Storage(out).read("calls.log")).decode().split("\n")[:-1]


def test_every_record_ends_in_a_row_or_in_the_ledger(out):
    run(FIRST, out)
    storage = Storage(out)
    rows = storage.read_table("_stages/first/shard-00000/part-00000.parquet").to_pylist()
    assert [row["value"] for row in rows] == [0, 3]
    ends = {row["id"]: (row["status"], row["reason"], row["attempts"]) for row in outcomes_of(storage, [FIRST], 0, [0])}
    assert ends == {
        "c0": ("kept", "ok", 1),
        "c1": ("dropped", "too_long", 1),
        "c2": ("failed", "http_404", 2),
        "c3": ("kept", "ok", 1),
    }


def test_a_part_that_exists_is_not_done_again_and_a_stale_one_is(out):
    run(FIRST, out)
    run(FIRST, out)
    assert len(calls(out)) == 4
    changed = recipe()
    changed = changed.model_copy(update={"keyframes": changed.keyframes.model_copy(update={"count": 4})})
    assert not is_done(FIRST, changed, Storage(out), Part(0, 0))
    run(FIRST, out, settings=changed)
    assert len(calls(out)) == 8


def test_a_change_of_input_makes_a_part_stale_and_a_change_that_is_none_does_not(out):
    run(FIRST, out)
    run(BUGGY, out)
    assert is_done(BUGGY, recipe(), Storage(out), Part(0, 0))
    storage = Storage(out)
    name = "_stages/first/shard-00000/part-00000.parquet"
    metadata = storage.metadata(name)
    storage.write_table(name, storage.read_table(name), {**metadata, "choices": "other settings, same rows"})
    assert is_done(BUGGY, recipe(), storage, Part(0, 0))
    storage.write_table(name, storage.read_table(name), {**metadata, "content": "other rows"})
    assert not is_done(BUGGY, recipe(), storage, Part(0, 0))


def test_a_bug_quarantines_its_record_with_the_traceback_and_only_that_is_tried_again_by_the_next_run(out):
    for part in (0, 1):
        run(FIRST, out, part)
        run(BUGGY, out, part)
    storage = Storage(out)
    outcomes = outcomes_of(storage, [BUGGY], 0, [1])
    assert [(row["id"], row["reason"]) for row in outcomes] == [("c4-clip", Reason.QUARANTINED.value)]
    assert "ZeroDivisionError: a bug" in outcomes[0]["detail"] and "stages_for_tests.py" in outcomes[0]["detail"]
    rows = storage.read_table("_stages/buggy/shard-00000/part-00001.parquet").to_pylist()
    assert [row["value"] for row in rows] == [6, 7, 8]
    assert is_done(BUGGY, recipe(), storage, Part(0, 0))
    assert not is_done(BUGGY, recipe(), storage, Part(0, 1))
    before = calls(out)
    run(BUGGY, out, 1)
    assert calls(out)[len(before) :] == ["buggy c4-clip"]


def test_only_a_crash_in_the_same_run_blames_a_record(out):
    storage = Storage(out)

    def begun(run_id):
        journal = CrashJournal(storage, "trying.json", run_id)
        journal.begin(["c5", "c6"])
        return journal

    first = begun("run 1")
    first.mark("c5", begins=True)  # The process dies here: the part is known, and the record not yet.
    second = begun("run 1")
    assert (first.crashed, second.crashed, second.crashes("c5"), second.crashes("c6")) == (False, True, 1, 1)
    second.mark("c5", begins=True)  # And again.
    third = begun("run 1")
    assert (third.crashed, third.crashes("c5"), third.crashes("c6")) == (True, 2, 1)
    assert not begun("run 2").crashed


def test_a_long_detail_is_cut_without_leaving_a_part_of_a_password():
    """The cut lies within the address, after its ://, by which a password is recognised."""
    detail = "x" * 500 + "http://user:" + "secret" * 100 + "@host/a " + "y" * (ledger.DETAIL_MAX - 300)
    row = ledger.outcome_row(Subject.CLIP, "b", "s", ledger.Outcome(Status.FAILED, Reason.CORRUPT, detail))
    assert len(row["detail"]) == ledger.DETAIL_MAX and "secret" not in row["detail"] and "host/a" in row["detail"]


def test_sums_that_do_not_balance_are_an_error():
    dropped = ledger.outcome_row(Subject.CLIP, "b", "s", ledger.Outcome(Status.DROPPED, Reason.TOO_LONG))
    counts = ledger.check_stage("s", Subject.CLIP, {"a", "b"}, {"a"}, [dropped])
    assert counts == {"stage": "s", "in": 2, "kept": 1, "dropped": 1, "failed": 0}
    with pytest.raises(BalanceError, match="3 in, but 1 kept"):
        ledger.check_stage("s", Subject.CLIP, {"a", "b", "c"}, {"a"}, [dropped])
    with pytest.raises(BalanceError, match="more than one outcome"):
        ledger.check_terminal([dropped, dropped])
    with pytest.raises(BalanceError, match="10 views"):
        ledger.check_views({"a"}, [], view_names())


def test_of_a_part_whose_input_changed_only_the_records_that_changed_are_done_again(out):
    run(FIRST, out)
    run(COUNTED, out)
    assert calls(out)[4:] == ["counted c0-clip", "counted c3-clip"]
    storage, name = Storage(out), "_stages/first/shard-00000/part-00000"
    rows = [{"clip_id": "c0-clip", "value": 0}, {"clip_id": "c3-clip", "value": 33}, {"clip_id": "new", "value": 7}]
    commit_part(storage, name, rows, [], FIRST.schema, {"inputs": "other"})
    run(COUNTED, out)
    assert calls(out)[6:] == ["counted c3-clip", "counted new"]
    made = storage.read_table("_stages/counted/shard-00000/part-00000.parquet").to_pylist()
    assert [row["value"] for row in made] == [1, 34, 8]
    changed = recipe()
    changed = changed.model_copy(update={"keyframes": changed.keyframes.model_copy(update={"count": 4})})
    run(COUNTED, out, settings=changed)
    assert len(calls(out)) == 11
