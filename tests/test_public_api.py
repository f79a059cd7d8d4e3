"""What Python users call: vidal.build, vidal.open, vidal.load_encoder."""

import typing

import pandas as pd
import pytest

import vidal
from tests.conftest import LIGHT, write_video
from vidal.config.loading import load_recipe
from vidal.errors import UserError


def test_a_dataset_is_built_and_opened_from_python(serve_folder, tmp_path):
    (tmp_path / "site").mkdir()
    write_video(tmp_path / "site" / "wall.mp4")
    (tmp_path / "clips.csv").write_text(f"url,title\n{serve_folder(tmp_path / 'site')}/wall.mp4,A gray wall\n")
    catalogue = {
        "catalogue": str(tmp_path / "clips.csv"),
        "crawl.allow_hosts": ["127.0.0.1"],
        "engine.executor": "inline",
    }
    recipe = load_recipe("embedded", (*LIGHT, "filters.similarity_min=null"))
    with pytest.raises(UserError, match="overrides"):
        vidal.build(recipe, str(tmp_path / "out"), 0, **catalogue)
    settings = dict(each.split("=", 1) for each in LIGHT if "{" not in each)
    overrides = {key: None if value == "null" else value for key, value in settings.items()}
    report = vidal.build(
        "embedded", str(tmp_path / "out"), 0, **catalogue, **overrides, **{"filters.similarity_min": None}
    )
    assert not report.is_faulty and report.clips == 1 and report.shards[0].rows == {"video": 1}
    dataset = vidal.open(str(tmp_path / "out"))
    assert len(dataset) == 1 and dataset.shards == [0]
    (row,) = dataset
    assert row["title"] == "A gray wall" and dataset.read(row["frame_paths"][0])[:2] == b"\xff\xd8"
    pd.testing.assert_frame_equal(dataset.to_pandas(), pd.read_parquet(tmp_path / "out"))
    assert {"candidate", "clip", "view"} == set(dataset.ledger()["subject"].to_pylist())
    again = vidal.build(
        "embedded", str(tmp_path / "out"), [0], **catalogue, **overrides, **{"filters.similarity_min": None}
    )
    assert again.shards[0].done_before


def test_wrong_input_is_an_exception_with_one_line(tmp_path):
    with pytest.raises(UserError, match="is not a vidal dataset"):
        vidal.open(str(tmp_path))
    with pytest.raises(UserError, match="no recipe 'nowhere'"):
        vidal.build("nowhere", str(tmp_path / "out"))
    with pytest.raises(UserError, match="shard 7 is out of range"):
        vidal.build("embedded", str(tmp_path / "out"), 7)
    assert not (tmp_path / "out").exists()


def test_every_public_name_has_a_docstring_and_types():
    for name in vidal.__all__:
        public = getattr(vidal, name)
        assert public.__doc__
        if not isinstance(public, type):
            assert typing.get_type_hints(public)["return"]
    with pytest.raises(AttributeError, match="no attribute 'bild'"):
        vidal.bild  # noqa: B018
