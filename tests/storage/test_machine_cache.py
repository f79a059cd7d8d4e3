"""What is made once a machine: whole or absent, made once, and a cache that cannot be written is told."""

import pytest

from vidal.errors import UserError
from vidal.storage import machine_cache


def test_a_folder_is_made_once_and_is_whole_or_absent(tmp_path):
    made = []

    def make(aside):
        made.append(aside)
        (aside / "half").write_text("x")
        if len(made) == 1:
            raise ValueError("stopped in the middle")

    with pytest.raises(ValueError):
        machine_cache.folder("a", make, tmp_path)
    assert list(tmp_path.iterdir()) == []
    for _ in range(2):
        assert [path.name for path in machine_cache.folder("a", make, tmp_path).iterdir()] == ["half"]
    assert len(made) == 2 and [path.name for path in tmp_path.iterdir()] == ["a"]


def test_the_folder_of_a_faster_process_is_taken(tmp_path):
    def make(aside):
        (tmp_path / "a").mkdir()
        (tmp_path / "a" / "theirs").touch()
        (aside / "ours").touch()

    assert [path.name for path in machine_cache.folder("a", make, tmp_path).iterdir()] == ["theirs"]
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_cache_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"cannot be written .*: set XDG_CACHE_HOME"):
        machine_cache.folder("a", lambda aside: None, tmp_path / "file" / "vidal")
