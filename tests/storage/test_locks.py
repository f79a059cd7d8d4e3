"""Locks: two holders never overlap, whatever the storage, and a holder that died does not block the others for ever."""

import json
import multiprocessing
import time
from pathlib import Path

import pytest

from vidal.errors import StorageError
from vidal.storage.locks import exclusive
from vidal.storage.storage import Storage


def add_one(uri, times):
    storage = Storage(uri)
    for _ in range(times):
        with exclusive(storage, "_shards/.lock"):
            count = int(storage.read("count"))
            time.sleep(0.002)
            storage.write("count", str(count + 1).encode())


def test_processes_that_count_under_the_lock_lose_no_step(tmp_path: Path) -> None:
    storage = Storage(str(tmp_path))
    storage.write("count", b"0")
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=add_one, args=(str(tmp_path), 20)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert storage.read("count") == b"40"


def test_a_lock_on_a_store_is_waited_for_and_expires_with_its_holder() -> None:
    storage = Storage("memory://locks")
    held = pytest.raises(StorageError, match="another process has held the lock")
    with exclusive(storage, ".lock"), held, exclusive(storage, ".lock", wait_s=0.3):
        pass
    assert not storage.exists(".lock")
    storage.write(".lock", json.dumps({"holder": "dead", "pid": 1, "at": time.time() - 1000}).encode())
    with exclusive(storage, ".lock", wait_s=5):
        pass


def test_of_two_that_create_a_file_one_wins(tmp_path: Path) -> None:
    for uri in (str(tmp_path), "memory://created"):
        storage = Storage(uri)
        assert storage.create("a/file", b"first") and not storage.create("a/file", b"second")
        assert storage.read("a/file") == b"first"
