"""The log: what workers of other processes write reaches the driver's standard error, and names its run, shard, part and stage."""

import json

import pytest

from tests.conftest import LIGHT, sets, vidal, write_video


@pytest.mark.parametrize("executor", ["inline", "ray"])
def test_every_stage_says_what_it_did_in_json_where_that_is_asked_for(executor, serve_folder, tmp_path):
    (tmp_path / "site").mkdir()
    write_video(tmp_path / "site" / "wall.mp4")
    (tmp_path / "clips.csv").write_text(f"url,title\n{serve_folder(tmp_path / 'site')}/wall.mp4,A gray wall\n")
    overrides = sets(*LIGHT, "filters.similarity_min=null", f"engine.executor={executor}")
    arguments = ("build-shard", "0", "--catalogue", str(tmp_path / "clips.csv"), "--allow-host", "127.0.0.1")
    done = vidal(*arguments, "--out", str(tmp_path / "out"), *overrides, "--log-json")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    assert {line["stage"] for line in lines} >= {"crawl", "keyframes", "similarity", "manifest"}
    assert {(line["shard"], line["part"]) for line in lines} == {(0, 0)} and len({line["run"] for line in lines}) == 1
    assert all("1 records in" in line["message"] for line in lines)
    quiet = vidal("retry", str(tmp_path / "out"))
    assert quiet.stderr == "" and quiet.returncode == 0


def test_the_log_is_readable_by_people(serve_folder, tmp_path):
    (tmp_path / "clips.csv").write_text("url,title\nhttp://127.0.0.1:1/none.mp4,A gray wall\n")
    overrides = sets(*LIGHT, "engine.executor=inline")
    done = vidal(
        "build-shard",
        "0",
        "--catalogue",
        str(tmp_path / "clips.csv"),
        "--out",
        str(tmp_path / "out"),
        *overrides,
        "--verbose",
    )
    assert " INFO run " in done.stderr and " shard 0 part 0 crawl: 1 records in " in done.stderr
