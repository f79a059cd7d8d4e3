"""What users open a manifest with: pandas, datasets, polars and DuckDB read and write its columns as they are."""

import json

import pandas as pd
import pyarrow.parquet as pq
import pytest


def test_a_score_and_a_key_of_extra_are_one_step_away_in_pandas(embedded):
    clips = pd.read_parquet(embedded)
    videos = clips[clips.kind == "video"].reset_index()
    assert 0 <= videos.scores[0]["brightness"] <= 1
    assert json.loads(clips.extra[0])["similarity_between"]
    tag = pq.read_schema(next(embedded.glob("shard-*.parquet"))).field("audio_tags").type.value_type
    assert [tag.field(i).name for i in range(tag.num_fields)] == ["tag", "score"]
    assert set(clips.split) <= {"train", "val", "test"}


def test_pandas_writes_a_manifest_and_reads_it_back(embedded, tmp_path):
    clips = pd.read_parquet(embedded)
    clips.to_parquet(tmp_path / "copy.parquet")
    again = pd.read_parquet(tmp_path / "copy.parquet")
    assert again.scores.tolist() == clips.scores.tolist() and again.extra.tolist() == clips.extra.tolist()
    texts = [[[caption["text"] for caption in captions] for captions in frame.captions] for frame in (again, clips)]
    assert texts[0] == texts[1]


def test_the_library_datasets_loads_a_manifest(embedded, tmp_path, monkeypatch):
    for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"):
        monkeypatch.setenv(name, "1")
    datasets = pytest.importorskip("datasets")
    files = [str(path) for path in sorted(embedded.glob("shard-*.parquet"))]
    rows = datasets.load_dataset("parquet", data_files=files, split="train", cache_dir=str(tmp_path / "cache"))
    clips = pd.read_parquet(embedded)
    assert rows["clip_id"][:] == clips.clip_id.tolist()
    assert rows[0]["scores"] == clips.scores[0] and json.loads(rows[0]["extra"]) == json.loads(clips.extra[0])


def test_polars_selects_by_a_score(embedded):
    polars = pytest.importorskip("polars")
    frame = polars.read_parquet(str(embedded / "shard-*.parquet"))
    bright = frame.filter(polars.col("scores").struct.field("brightness") > 0.3)
    clips = pd.read_parquet(embedded)
    assert sorted(bright["clip_id"]) == sorted(clips[clips.scores.map(lambda s: (s["brightness"] or 0) > 0.3)].clip_id)


def test_duckdb_selects_a_score_by_its_name(embedded):
    duckdb = pytest.importorskip("duckdb")
    query = (
        f"select clip_id, scores.nsfw, extra->>'similarity_between' from '{embedded}/shard-*.parquet' order by clip_id"
    )
    rows = duckdb.sql(query).fetchall()
    clips = pd.read_parquet(embedded).sort_values("clip_id")
    assert [row[0] for row in rows] == clips.clip_id.tolist()
    assert [row[1] for row in rows] == [scores["nsfw"] for scores in clips.scores]
    assert all(row[2] for row in rows)
