"""A catalogue is read once: afterwards each shard reads its own table, and a list that has changed is refused."""

import gzip
import json
import os
from pathlib import Path

import pandas as pd
import pytest

from tests.conftest import LIGHT, sets
from tests.support.inline import vidal_inline
from vidal.config.loading import load_recipe
from vidal.config.recipe import Recipe
from vidal.dataset import discover
from vidal.dataset.catalogue_split import candidates_of, split_catalogue, stored_split
from vidal.errors import UserError
from vidal.pipeline.stage import Runtime
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
    split = split_catalogue(recipe, storage)
    assert (split.candidates, split.shards, discover.shard_count(recipe, storage)) == (25, 3, 3)
    urls = [[row["url"] for row in candidates_of(storage, shard)] for shard in range(3)]
    assert [len(shard) for shard in urls] == [10, 10, 5] and urls[2][-1] == "http://a/24.mp4"
    (part,) = discover.discover(recipe, Runtime(storage.uri, 2, "run"))
    assert discover.candidates(storage, part)["shard"].to_pylist() == [2] * 5


def test_a_glob_of_compressed_files_is_one_list_and_a_row_of_two_files_is_one_candidate(tmp_path):
    for number, first in enumerate((0, 10)):
        write_rows(tmp_path / "plain.csv", first, 12)
        (tmp_path / f"part-{number}.csv.gz").write_bytes(gzip.compress((tmp_path / "plain.csv").read_bytes()))
    storage = Storage(str(tmp_path / "out"))
    assert split_catalogue(recipe_for(tmp_path / "part-*.csv.gz"), storage).candidates == 22


def test_a_list_on_a_store_is_read_by_its_uri(tmp_path):
    rows = "".join(
        json.dumps({"url": f"http://a/{number}.mp4", "views": 2**60 + 1, "none": None}) + "\n" for number in range(3)
    )
    Storage("memory://lists").write("mine.jsonl", rows.encode())
    storage = Storage(str(tmp_path / "out"))
    assert split_catalogue(recipe_for("memory://lists/mine.jsonl"), storage).candidates == 3
    assert dict(candidates_of(storage, 0)[0]["extra"]) == {"views": str(2**60 + 1)}


def test_a_touched_list_is_the_same_and_a_changed_one_is_refused_with_nothing_lost(tmp_path):
    path = tmp_path / "c.csv"
    write_rows(path, 0, 5)
    storage, recipe = Storage(str(tmp_path / "out")), recipe_for(path)
    split = split_catalogue(recipe, storage)
    os.utime(path, (1, 1))
    assert split_catalogue(recipe, storage).sha256 == split.sha256
    write_rows(path, 0, 6)
    with pytest.raises(
        UserError, match=r"has changed since it was split into .*: choose another --out, or delete .*/_catalogue"
    ):
        split_catalogue(recipe, storage)
    with pytest.raises(UserError, match="other columns or shard_candidates"):
        split_catalogue(recipe_for(path, shard_candidates=2), storage)
    stored = stored_split(storage)
    assert stored is not None and stored.candidates == 5 and len(candidates_of(storage, 0)) == 5


def test_a_row_that_is_refused_leaves_no_split_behind_and_the_mended_list_is_built(tmp_path):
    path, out = tmp_path / "c.csv", tmp_path / "out"
    path.write_text("url,start_s\nfile:///etc/passwd,\nhttp://a,soon\n")
    build = ("build-shard", "0", "--recipe", "catalogue", "--catalogue", str(path), "--out", str(out), *sets(*LIGHT))
    done = vidal_inline(*build)
    assert done.returncode == 2 and "row 2: start_s must be a number of seconds" in done.stderr
    assert not (out / "_catalogue").exists()
    path.write_text("url,start_s\nfile:///etc/passwd,\n")
    assert vidal_inline(*build).returncode == 1
    assert pd.read_parquet(out / "_ledger").reason.tolist() == ["bad_url"]


def test_the_order_of_work_needs_the_split_alone(tmp_path):
    """`vidal retry` on another machine has the dataset, and not the list."""
    path = tmp_path / "c.csv"
    write_rows(path, 0, 5)
    storage, recipe = Storage(str(tmp_path / "out")), recipe_for(path)
    split_catalogue(recipe, storage)
    parts = discover.discover(recipe, Runtime(storage.uri, 0, "run"))
    path.unlink()
    assert discover.parts(storage, recipe, 0) == parts
