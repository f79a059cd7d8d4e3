"""Tables of parts in one archive a shard: read, listed and replaced under their own names."""

import uuid

import pyarrow as pa
import pytest

from vidal.storage import layout
from vidal.storage.gathered import gather
from vidal.storage.storage import Storage

NAMES = [layout.part_table(stage, 0, part) for stage in ("crawl", "depth") for part in range(3)]


@pytest.fixture(params=["disk", "store"])
def uri(request, tmp_path):
    return str(tmp_path) if request.param == "disk" else f"memory://{uuid.uuid4().hex}"


def write(storage, name, value):
    storage.write_table(name, pa.table({"clip_id": [value]}), {"content": value})


def state(storage):
    """What a reader sees of each table: its row, its metadata, and whether it exists."""
    return {
        name: (storage.read_table(name)["clip_id"][0].as_py(), storage.metadata(name)["content"], storage.exists(name))
        for name in NAMES
    }


def files(storage):
    return sorted(name for name in storage.sizes("_stages") if name.endswith((".parquet", ".tar")))


def test_gathered_tables_are_read_listed_and_found_under_their_own_names(uri):
    storage = Storage(uri)
    for number, name in enumerate(NAMES):
        write(storage, name, f"first {number}")
    before, listed = state(storage), storage.names(layout.stage_folder("crawl", 0))
    gather(storage, 0, NAMES)
    for reader in (storage, Storage(uri), Storage(uri, fetch_archives=True)):
        assert state(reader) == before
        assert reader.names(layout.stage_folder("crawl", 0)) == listed
        assert not reader.exists(layout.part_table("crawl", 0, 3)) and not reader.exists(
            layout.part_table("crawl", 1, 0)
        )
        assert reader.metadata_if_present(layout.part_table("crawl", 0, 3)) is None
    assert files(storage) == ["shard-00000.tar"]


def test_a_table_that_is_stored_again_counts_until_it_is_gathered_too(uri):
    storage = Storage(uri)
    for name in NAMES:
        write(storage, name, "old")
    gather(storage, 0, NAMES)
    later = Storage(uri)
    write(later, NAMES[4], "new")
    expected = {name: ("new", "new", True) if name == NAMES[4] else ("old", "old", True) for name in NAMES}
    assert state(later) == state(Storage(uri)) == expected
    gather(later, 0, NAMES)
    assert state(later) == state(Storage(uri)) == expected
    assert files(later) == ["shard-00000.tar"]
    stored = later.stamps("_stages")
    gather(Storage(uri), 0, NAMES)
    assert later.stamps("_stages") == stored  # Nothing new: nothing is written.


@pytest.mark.parametrize("step", ["archive", "index", "remove"])
def test_after_an_interruption_at_any_step_nothing_is_lost_and_it_can_be_repeated(uri, monkeypatch, step):
    storage = Storage(uri)
    for number, name in enumerate(NAMES):
        write(storage, name, f"first {number}")
    gather(storage, 0, NAMES[:3])
    before = state(storage)
    interrupted = Storage(uri)

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(interrupted, {"archive": "put", "index": "write", "remove": "remove_all"}[step], stop)
    with pytest.raises(KeyboardInterrupt):
        gather(interrupted, 0, NAMES)
    assert state(Storage(uri)) == before
    gather(Storage(uri), 0, NAMES)
    assert state(Storage(uri)) == before and files(Storage(uri)) == ["shard-00000.tar"]
