"""Answers of models survive a killed worker, are reused within their shard, and cost few objects on a store."""

import os
import subprocess
import sys
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.conftest import ROOT
from vidal.storage import layout
from vidal.storage.answer_store import FileAnswers, PartAnswers
from vidal.storage.storage import Storage


@pytest.fixture(params=["disk", "store"])
def uri(request, tmp_path):
    return str(tmp_path) if request.param == "disk" else f"memory://{uuid.uuid4().hex}"


def test_answers_of_a_part_are_one_file_and_serve_every_part_of_the_shard(uri):
    storage = Storage(uri)
    answers = PartAnswers(storage, "captions")
    with answers.part(0, 3):
        for number in range(50):
            answers.write(f"key{number}", f'"a dog \N{DOG FACE}\n{number}"')
    assert len(storage.names(layout.answers_folder("captions", 0))) == 1
    later = PartAnswers(Storage(uri), "captions")
    with later.part(0, 4):
        assert later.read("key49") == '"a dog \N{DOG FACE}\n49"' and later.read("other") is None
        later.write("other", "1")
        assert later.read("other") == "1"
    with later.part(1, 0):
        assert later.read("key49") is None
    with later.part(0, 5):
        assert later.read("other") == "1"
    assert len(storage.names(layout.answers_folder("captions", 0))) == 2
    assert not storage.names(layout.answers_folder("captions", 1))


def test_parts_of_two_shards_that_are_at_work_at_once_keep_their_answers_apart(uri):
    answers, both_within = PartAnswers(Storage(uri), "captions"), threading.Barrier(2, timeout=30)

    def work(shard):
        with answers.part(shard, 0):
            both_within.wait()
            answers.write("key", str(shard))
            both_within.wait()
            return answers.read("key")

    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(work, (0, 1))) == ["0", "1"]
    later = PartAnswers(Storage(uri), "captions")
    for shard in (1, 0):
        with later.part(shard, 1):
            assert later.read("key") == str(shard)


def test_a_stage_that_asks_nothing_makes_no_request(tmp_path):
    storage = Storage(str(tmp_path / "out"))
    with PartAnswers(storage, "depth").part(0, 0):
        pass
    assert not (tmp_path / "out").exists()


KILLED = """
import os, sys
from vidal.storage.answer_store import PartAnswers
from vidal.storage.storage import Storage
answers = PartAnswers(Storage(sys.argv[1]), "enhanced")
with answers.part(0, 0):
    for number in range(10):
        answers.write(f"key{number}", "1")
    os.kill(os.getpid(), 9)
"""


def test_a_killed_worker_loses_no_answer_on_a_disk_and_a_torn_line_is_ignored(tmp_path):
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], cwd=ROOT, capture_output=True)
    assert killed.returncode == -9, killed.stderr
    (file,) = tmp_path.rglob("*.jsonl")
    with file.open("r+b") as torn:
        torn.truncate(file.stat().st_size - 5)
    answers = PartAnswers(Storage(str(tmp_path)), "enhanced")
    with answers.part(0, 0):
        assert [answers.read(f"key{number}") for number in range(10)] == ["1"] * 9 + [None]
        answers.write("key9", "1")
    assert len(list(tmp_path.rglob("*.jsonl"))) == 2


def test_a_store_keeps_the_answers_of_a_part_that_failed(monkeypatch):
    uri = f"memory://{uuid.uuid4().hex}"
    answers = PartAnswers(Storage(uri), "enhanced")
    with pytest.raises(RuntimeError, match="the stage"), answers.part(0, 0):
        answers.write("key", "1")
        raise RuntimeError("the stage")
    later = PartAnswers(Storage(uri), "enhanced")
    with later.part(0, 0):
        assert later.read("key") == "1"


def test_a_shared_folder_has_a_file_an_answer(tmp_path):
    FileAnswers(Storage(str(tmp_path)), "").write("abcd", "1")
    assert FileAnswers(Storage(str(tmp_path)), "").read("abcd") == "1"
    assert os.listdir(tmp_path / "ab") == ["abcd.json"]
