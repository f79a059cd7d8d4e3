import os
import subprocess
import sys

import pyarrow as pa
import pytest

from vidal import schema
from vidal.errors import StorageError
from vidal.storage.storage import Storage


@pytest.fixture(params=["local", "memory"])
def storage(request, tmp_path):
    return Storage(str(tmp_path / "data") if request.param == "local" else f"memory://test-{tmp_path.name}")


def test_what_is_written_is_read_back_and_listed(storage):
    storage.write("a/b.bin", b"one")
    storage.write("a/b.bin", b"two")
    assert storage.read("a/b.bin") == b"two"
    assert storage.names("a") == ["b.bin"]
    assert storage.names("nowhere") == []
    storage.remove("a/b.bin")
    assert not storage.exists("a/b.bin")


@pytest.mark.parametrize(
    "original", ["absolute path", "s3://bucket/videos/a.mp4", "../videos/a.mp4", "memory://videos/a.mp4"]
)
def test_no_command_can_alter_or_delete_an_original_outside_the_dataset(storage, tmp_path, original):
    kept, local = tmp_path / "videos" / "a.mp4", tmp_path / "new"
    kept.parent.mkdir()
    kept.write_bytes(b"media")
    local.write_bytes(b"other")
    name = str(kept) if original == "absolute path" else original
    for change in (
        lambda: storage.remove(name),
        lambda: storage.remove_all([name]),
        lambda: storage.remove_folder(name.rpartition("/")[0]),
        lambda: storage.write(name, b"other"),
        lambda: storage.create(name, b"other"),
        lambda: storage.put(local, name),
    ):
        with pytest.raises(ValueError, match="is outside the dataset"):
            change()
    assert kept.read_bytes() == b"media"


def test_tables_keep_an_explicit_schema_and_give_the_same_bytes(storage):
    rows = [{"subject": "clip", "id": "x", "at": None}]  # All-None columns must not become type null.
    table = schema.table(rows, schema.LEDGER)
    first = storage.write_table("t.parquet", table, {"key": "1", "a": "2"})
    second = storage.write_table("t.parquet", table, {"a": "2", "key": "1"})
    assert first == second
    assert storage.read_table("t.parquet").schema.remove_metadata().equals(schema.LEDGER)
    assert storage.metadata("t.parquet") == {"a": "2", "key": "1"}


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path, monkeypatch):
    storage = Storage(str(tmp_path))
    storage.write("a.bin", b"old")
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(StorageError, match=r"a\.bin cannot be read or written: disk full"):
        storage.write("a.bin", b"new")
    monkeypatch.undo()
    assert storage.read("a.bin") == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../../x"])
def test_a_name_cannot_lead_out_of_the_dataset(storage, name):
    with pytest.raises(ValueError, match="is outside the dataset"):
        storage.read(name)


def test_put_moves_a_local_file(storage, tmp_path):
    local = tmp_path / "local.bin"
    local.write_bytes(b"media")
    storage.put(local, "m/file")
    assert not local.exists()
    with storage.local("m/file") as path:
        assert path.read_bytes() == b"media"


def test_unknown_columns_are_an_error():
    with pytest.raises(KeyError, match="titel"):
        schema.table([{"titel": "x"}], schema.LEDGER)


THREADS = """
import os, sys
from vidal.storage.storage import Storage
from vidal.storage.tables import read_parquet
count = lambda: len(os.listdir("/proc/self/task"))
before = count()
table = Storage(sys.argv[1]).read_table("t.parquet")
table = read_parquet(f"{sys.argv[1]}/t.parquet")
print(before, count(), table.num_rows)
"""


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="threads are counted in /proc")
def test_reading_a_table_starts_no_thread_that_could_outlive_the_command(tmp_path):
    Storage(str(tmp_path)).write_table("t.parquet", pa.table({"a": list(range(300_000)), "b": ["x"] * 300_000}))
    done = subprocess.run([sys.executable, "-c", THREADS, str(tmp_path)], capture_output=True, text=True, check=True)
    before, after, rows = map(int, done.stdout.split())
    assert (after, rows) == (before, 300_000)


def test_files_are_removed_together_though_one_of_them_is_missing():
    storage = Storage("memory://removed-together")
    for name in ("a", "c"):
        storage.write(name, b"x")
    storage.remove_all(["a", "b", "c"])
    assert storage.names("") == []
