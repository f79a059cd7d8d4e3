"""The main job, as its user sees it: shard 0 of the embedded recipe, built once by the real command."""

import json
import shutil
import subprocess
import time

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.conftest import sets, vidal
from tests.support.inline import vidal_inline
from vidal import schema
from vidal.config.loading import load_recipe
from vidal.models.synonyms import Synonyms
from vidal.schema import View
from vidal.sources.embedded.media import list_pages
from vidal.stages.enhanced.rewrite_checks import support, unsupported


@pytest.fixture(scope="module")
def rows(embedded):
    return pd.read_parquet(embedded)


@pytest.fixture(scope="module")
def ledger(embedded):
    return pd.read_parquet(embedded / "_ledger")


def texts(row, view):
    return [caption["text"] for caption in row.captions if caption["view"] == view]


def test_the_manifest_is_what_the_contract_says(rows):
    assert list(rows.columns) == schema.MANIFEST_COLUMNS
    videos, sounds = rows[rows.kind == "video"], rows[rows.kind == "audio"]
    assert len(videos) >= 12 and len(sounds) >= 4
    assert rows.sha256.notna().all() and rows.similarity.notna().all()
    assert videos.frame_times_s.map(len).eq(8).all() and videos.frame_paths.map(len).eq(8).all()
    assert videos.similarity.ge(0.08).all()
    assert rows.clip_id.is_unique and rows.clip_id.is_monotonic_increasing
    for row in videos.itertuples():
        assert texts(row, "title") == [row.title] and texts(row, "hashtags")
        assert [c["frame"] for c in row.captions if c["view"] == "keyframe"] == list(range(8))
    assert videos.captions.map(lambda c: any(x["view"] == "video" for x in c)).sum() >= 12
    assert rows.captions.map(lambda c: any(x["view"] == "enhanced" for x in c)).sum() >= 12


def test_subjects_differ_and_say_where_they_come_from(rows):
    videos = rows[rows.kind == "video"]
    origins = videos.extra.map(lambda extra: json.loads(extra)["origin"])
    assert origins.nunique() >= 6
    notes = videos.extra.map(lambda extra: json.loads(extra)["note"])
    assert set(notes) == {"photograph panned slowly", "span of a film"}
    assert rows.licence.notna().all() and rows.search_terms.map(len).gt(0).all()


def test_every_generated_caption_has_its_provenance(rows):
    for captions in rows.captions:
        for caption in captions:
            if caption["view"] not in ("title", "hashtags"):
                assert caption["model"] != "source" and caption["revision"] and len(caption["prompt_sha256"]) == 64
            else:
                assert caption["model"] == "source" and caption["prompt_sha256"] is None


def test_no_accepted_rewrite_names_what_no_other_view_names(rows):
    for row in rows.itertuples():
        others = [caption["text"] for caption in row.captions if caption["view"] != "enhanced"]
        for rewrite in texts(row, "enhanced"):
            assert unsupported(rewrite, others, "en_core_web_sm", support(Synonyms(0.78), None)) == []


BAD = {
    "gone": "http_404",
    "login": "not_media",
    "half": "truncated",
    "liar": "false_duration",
    "long": "too_long",
    "oneword": "short_title",
    "untagged": "no_hashtags",
    "stoptags": "stop_hashtags",
}


def test_every_bad_candidate_has_its_own_reason(embedded, ledger):
    candidates = pd.concat(
        pd.read_parquet(path) for path in (embedded / "_stages/discover/shard-00000").glob("part-?????.parquet")
    )
    by_source = candidates.set_index("source_id").candidate_id
    ends = ledger[ledger.subject == "candidate"].set_index("id").reason
    assert {name: ends[by_source[name]] for name in BAD} == BAD
    clips = ledger[ledger.subject == "clip"].set_index("parent_id")
    assert clips.loc[by_source["mismatch"]].reason == "low_similarity"
    copies = {clips.loc[by_source[name]].reason for name in ("coffee", "coffee-again")}
    assert copies == {"ok", "duplicate_exact"}
    assert {clips.loc[by_source[name]].reason for name in ("coins", "coins-smaller")} == {"ok", "duplicate_near"}
    dropped_once = ledger[ledger.id == by_source["dropped"]].iloc[0]
    assert (dropped_once.status, dropped_once.attempts) == ("kept", 2)
    assert set(by_source.index) == {entry.id for entry in list_pages()}


def test_the_ledger_balances(embedded, rows, ledger):
    assert not ledger.duplicated(["subject", "id"]).any()
    candidates, clips = ledger[ledger.subject == "candidate"], ledger[ledger.subject == "clip"]
    assert set(clips.parent_id) == set(candidates[candidates.status == "kept"].id)
    assert set(clips[clips.status == "kept"].id) == set(rows.clip_id)
    funnel = json.loads((embedded / "_shards/shard-00000.json").read_text())["funnel"]
    assert all(line["in"] == line["kept"] + line["dropped"] + line["failed"] for line in funnel)
    assert [line["kept"] for line in funnel][:-1] == [line["in"] for line in funnel][1:]
    views = ledger[ledger.subject == "view"]
    of_kept = views[views.parent_id.isin(rows.clip_id)]
    assert len(of_kept) == len(rows) * len(View)


def test_every_video_has_depth_and_infrared_marked_synthetic_and_a_sound_says_why_not(rows, ledger, embedded):
    views = ledger[ledger.subject == "view"].set_index("id")
    for row in rows.itertuples():
        if row.kind == "audio":
            assert (
                views.loc[f"{row.clip_id}/depth"].reason == views.loc[f"{row.clip_id}/infrared"].reason == "no_frames"
            )
            assert len(row.depth_paths) == len(row.infrared_paths) == 0 and "depth" not in row.synthetic_views
            continue
        assert len(row.depth_paths) == len(row.infrared_paths) == len(row.frame_paths) == 8
        assert {"depth", "infrared"} <= set(row.synthetic_views)
        assert row.depth_model.startswith("embedded:depth@") and row.infrared_model.startswith("embedded:infrared@")
        assert (row.depth_kind, row.depth_unit) == ("inverse_relative", "")
        scores = row.scores
        assert scores["depth_at_65535"] > scores["depth_at_0"] and "infrared_luminance_explained" in scores
        for name, dtype in ((row.depth_paths[0], np.uint16), (row.infrared_paths[0], np.uint8)):
            with Image.open(embedded / name) as image, Image.open(embedded / row.frame_paths[0]) as frame:
                assert image.size == frame.size and np.asarray(image).dtype == dtype and np.asarray(image).std() > 1


def test_a_clip_reaches_the_manifest_before_the_last_candidate_is_fetched(ledger):
    last_fetched = ledger[(ledger.subject == "candidate")]["at"].max()
    first_done = ledger[(ledger.subject == "clip") & (ledger.status == "kept")]["at"].min()
    assert first_done < last_fetched


def test_a_second_run_does_nothing_and_is_quick(embedded):
    before = {path: path.stat().st_mtime_ns for path in embedded.rglob("*")}
    started = time.monotonic()
    done = vidal("build-shard", "0", "--recipe", "embedded", "--out", str(embedded), "--json")
    assert time.monotonic() - started < 15
    assert done.returncode == 0 and json.loads(done.stdout.splitlines()[-1])[0]["done_before"]
    assert {path: path.stat().st_mtime_ns for path in embedded.rglob("*")} == before


def test_the_hashes_are_those_that_sha256sum_knows(embedded):
    done = subprocess.run(
        ["sha256sum", "-c", "--quiet", "_media/shard-00000.sha256"], cwd=embedded, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_validate_accepts_the_shard_and_names_what_was_tampered_with(embedded, rows, tmp_path):
    assert vidal("validate", str(embedded)).returncode == 0
    copy = tmp_path / "copy"
    shutil.copytree(embedded, copy)
    video = rows[rows.kind == "video"].iloc[0]
    (copy / video.frame_paths[3]).write_bytes(b"not a picture")
    (copy / video.video_path).unlink()
    done = vidal_inline("validate", str(copy))
    assert done.returncode == 1
    assert f"{video.frame_paths[3]} has another sha256" in done.stdout
    assert f"{video.frame_paths[3]} does not decode" in done.stdout
    assert f"{video.video_path} is missing" in done.stdout


def test_changing_the_rewriter_alone_redoes_the_rewrites_alone(embedded, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(embedded, copy)
    parts = {path: path.stat().st_mtime_ns for path in (copy / "_stages").rglob("*.parquet")}
    media = {
        path: path.stat().st_mtime_ns
        for path in (copy / "_media").rglob("*")
        if path.is_file() and path.suffix != ".sha256"
    }
    overrides = sets("enhanced.model=null")
    assert vidal_inline("build-shard", "0", "--recipe", "embedded", "--out", str(copy), *overrides).returncode == 0
    redone = {path.parent.parent.name for path, time_ns in parts.items() if path.stat().st_mtime_ns != time_ns}
    assert redone == {"enhanced", "grounding", "manifest"}
    assert {path: path.stat().st_mtime_ns for path in media} == media
    assert pd.read_parquet(copy).captions.map(lambda c: all(x["view"] != "enhanced" for x in c)).all()


def test_the_pandas_line_and_the_recipe_are_in_the_dataset(embedded):
    dataset = json.loads((embedded / "_dataset.json").read_text())
    assert dataset["identity"]["recipe"] == load_recipe("embedded").name
    assert json.loads((embedded / "_shards/shard-00000.json").read_text())["rows"]["video"] >= 12
