"""A catalogue is read once: afterwards each shard reads its own table, and a list that has changed is refused."""

import gzip
import json
import os
from pathlib import Path

import pandas as pd
import pytest

from tests.conftest import LIGHT, sets, write_video
from tests.support.inline import vidal_inline
from vidal.config.loading import load_recipe
from vidal.config.recipe import Recipe
from vidal.dataset import discover
from vidal.dataset.listing_split import candidates_of, split_listing, stored_split
from vidal.errors import UserError
from vidal.pipeline.stage import Runtime
from vidal.sources.listed_texts import titles_of
from vidal.storage.storage import Storage


def recipe_for(path: Path | str, **overrides: object) -> Recipe:
    return load_recipe("catalogue", tuple(f"{key}={value}" for key, value in overrides.items()), catalogue=str(path))


def write_rows(path: Path, first: int, count: int) -> None:
    rows = [
        {"url": f"http://a/{number}.mp4", "title": f"number {number}", "mine": number}
        for number in range(first, first + count)
    ]
    pd.DataFrame(rows).to_csv(path, index=False)


def test_every_shard_holds_its_own_rows_in_the_order_of_the_list(tmp_path):
    write_rows(tmp_path / "c.csv", 0, 25)
    storage = Storage(str(tmp_path / "out"))
    recipe = recipe_for(tmp_path / "c.csv", shard_candidates=10)
    split = split_listing(recipe, storage)
    assert (split.candidates, split.shards, discover.shard_count(recipe, storage)) == (25, 3, 3)
    urls = [[row["url"] for row in candidates_of(storage, shard)] for shard in range(3)]
    assert [len(shard) for shard in urls] == [10, 10, 5] and urls[2][-1] == "http://a/24.mp4"
    (part,) = discover.discover(recipe, Runtime(storage.uri, "run"), 2)
    assert discover.candidates(storage, part)["shard"].to_pylist() == [2] * 5


def test_a_glob_of_compressed_files_is_one_list_and_a_row_of_two_files_is_one_candidate(tmp_path):
    for number, first in enumerate((0, 10)):
        write_rows(tmp_path / "plain.csv", first, 12)
        (tmp_path / f"part-{number}.csv.gz").write_bytes(gzip.compress((tmp_path / "plain.csv").read_bytes()))
    storage = Storage(str(tmp_path / "out"))
    assert split_listing(recipe_for(tmp_path / "part-*.csv.gz"), storage).candidates == 22


def test_a_list_on_a_store_is_read_by_its_uri(tmp_path):
    rows = "".join(
        json.dumps({"url": f"http://a/{number}.mp4", "views": 2**60 + 1, "none": None}) + "\n" for number in range(3)
    )
    Storage("memory://lists").write("mine.jsonl", rows.encode())
    storage = Storage(str(tmp_path / "out"))
    assert split_listing(recipe_for("memory://lists/mine.jsonl"), storage).candidates == 3
    assert dict(next(candidates_of(storage, 0))["extra"]) == {"views": str(2**60 + 1)}


def test_a_touched_list_is_the_same_and_a_changed_one_is_refused_with_nothing_lost(tmp_path):
    path = tmp_path / "c.csv"
    write_rows(path, 0, 5)
    storage, recipe = Storage(str(tmp_path / "out")), recipe_for(path)
    split = split_listing(recipe, storage)
    os.utime(path, (1, 1))
    assert split_listing(recipe, storage).sha256 == split.sha256
    write_rows(path, 0, 6)
    with pytest.raises(
        UserError, match=r"has changed since it was split into .*: choose another --out, or delete .*/_catalogue"
    ):
        split_listing(recipe, storage)
    with pytest.raises(UserError, match="columns or shard_candidates have changed"):
        split_listing(recipe_for(path, shard_candidates=2), storage)
    stored = stored_split(storage)
    assert stored is not None and stored.candidates == 5 and len(list(candidates_of(storage, 0))) == 5


def test_a_row_that_is_refused_is_in_the_ledger_and_the_others_are_built(tmp_path):
    path, out = tmp_path / "c.csv", tmp_path / "out"
    path.write_text("url,title,start_s,mine\nfile:///etc/passwd,a,,1\nhttp://a,b,soon,2\nfile:///etc/passwd,c,,3\n")
    build = ("build-shard", "0", "--recipe", "catalogue", "--catalogue", str(path), "--out", str(out), *sets(*LIGHT))
    done = vidal_inline(*build)
    assert done.returncode == 1  # No clip was kept.
    said = "c.csv: 3 rows, 1 merged, 1 refused (the ledger says why); unknown columns (kept in extra): mine"
    assert said in " ".join(done.stdout.split())
    ledger = pd.read_parquet(out / "_ledger").set_index("reason")
    assert sorted(ledger.index) == ["bad_row", "bad_url"]
    assert ledger.loc["bad_row", "detail"].endswith(
        "c.csv, row 2: start_s must be a number of seconds, 0 or more, not 'soon'"
    )
    assert vidal_inline("retry", str(out), "--class", "bad_row").returncode == 1
    assert sorted(pd.read_parquet(out / "_ledger").reason) == ["bad_row", "bad_url"]


def test_a_list_of_which_nothing_can_be_read_ends_in_one_line_and_the_mended_list_is_built(tmp_path):
    path, out = tmp_path / "c.csv", tmp_path / "out"
    path.write_text("url,start_s\nhttp://b,later\nhttp://a,soon\n")
    build = ("build-shard", "0", "--recipe", "catalogue", "--catalogue", str(path), "--out", str(out), *sets(*LIGHT))
    done = vidal_inline(*build)
    assert done.returncode == 2 and len(done.stderr.strip().splitlines()) == 1
    assert "none of its rows can be used: 2 were refused; the first: " in done.stderr and "not 'later'" in done.stderr
    assert not (out / "_catalogue").exists()
    path.write_text("url,start_s\nfile:///etc/passwd,\n")
    assert vidal_inline(*build).returncode == 1
    assert pd.read_parquet(out / "_ledger").reason.tolist() == ["bad_url"]


def test_captions_of_one_address_in_several_rows_are_texts_of_one_candidate_wherever_the_rows_stand(tmp_path):
    path = tmp_path / "c.csv"
    lines = [f"http://a/{number}.mp4,number {number} #n{number}" for number in range(6)]
    path.write_text(
        "\n".join(["url,title", *lines, "http://a/1.mp4,late #new", lines[5], "http://a/5.mp4,near", "http://a/1.mp4,"])
    )
    storage, recipe = Storage(str(tmp_path / "out")), recipe_for(path, shard_candidates=2)
    lines_said: list[str] = []
    split = split_listing(recipe, storage, lines_said.append)
    assert (split.candidates, split.shards) == (6, 3)
    assert lines_said == [f"catalogue {path}: 10 rows, 4 merged, 0 refused"]
    one, five = (list(candidates_of(storage, shard))[1] for shard in (0, 2))
    assert (one["title"], one["hashtags"], titles_of(one)) == (
        "number 1 #n1",
        ["n1", "new"],
        ["number 1 #n1", "late #new"],
    )
    assert titles_of(five) == ["number 5 #n5", "near"]


def test_all_captions_of_one_address_are_captions_of_its_clip(serve_folder, tmp_path):
    site, out = tmp_path / "site", tmp_path / "out"
    site.mkdir()
    write_video(site / "a.mp4")
    url = f"{serve_folder(site)}/a.mp4"
    (tmp_path / "c.csv").write_text(f"url,title\n{url},a grey square\n{url},it becomes white\n{url},a fade\n")
    build = ("build-shard", "0", "--recipe", "catalogue", "--catalogue", str(tmp_path / "c.csv"), "--out", str(out),
             "--allow-host", "127.0.0.1", *sets(*LIGHT, "filters.similarity_min=null"))  # fmt: skip
    assert vidal_inline(*build).returncode == 0
    (row,) = pd.read_parquet(out).to_dict("records")
    titles = [(each["text"], each["model"]) for each in row["captions"] if each["view"] == "title"]
    assert titles == [(text, "source") for text in ("a grey square", "it becomes white", "a fade")]
    assert list(row["synthetic_views"]) == [] and vidal_inline("validate", str(out)).returncode == 0


def test_the_order_of_work_needs_the_split_alone(tmp_path):
    """`vidal retry` on another machine has the dataset, and not the list."""
    path = tmp_path / "c.csv"
    write_rows(path, 0, 5)
    storage, recipe = Storage(str(tmp_path / "out")), recipe_for(path)
    split_listing(recipe, storage)
    parts = discover.discover(recipe, Runtime(storage.uri, "run"), 0)
    path.unlink()
    assert discover.parts(storage, recipe, 0) == parts
