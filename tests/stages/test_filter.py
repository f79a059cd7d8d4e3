"""The filter decides from stored scores; what it drops stays stored."""

import json
import shutil

import pandas as pd
import pytest

from tests.conftest import vidal
from tests.support.inline import vidal_inline
from vidal.stages.filter.settings import Filters
from vidal.stages.filter.thresholds import decide

CLIP = {"kind": "video", "similarity": 0.2, "language": "en", "text": "A cat"}


@pytest.mark.parametrize(
    ("filters", "reason"),
    [
        ({}, None),
        ({"similarity_min": 0.2}, None),
        ({"similarity_min": 0.21}, "low_similarity"),
        ({"motion_per_s_min": 1.0}, "low_motion"),
        ({"motion_per_s_max": 0.4, "similarity_min": 0.3}, "low_similarity"),
        ({"brightness_max": 0.0}, "filtered"),
        ({"audio_lufs_min": 5.0}, None),
        ({"languages": ["de"]}, "language"),
        ({"languages": ["de", "en"]}, None),
    ],
)
def test_a_clip_is_dropped_by_the_threshold_that_it_breaks(filters, reason):
    drop = decide(CLIP, {"motion_per_s": 0.5, "brightness": 0.1}, Filters(**filters))
    assert (drop and drop.reason.value) == reason


def test_a_sound_passes_the_threshold_of_frames_and_an_unknown_language_passes():
    filters = Filters(similarity_min=0.9, languages=("de",))
    assert decide({**CLIP, "kind": "audio", "language": None}, {}, filters) is None


@pytest.fixture
def copy(embedded, tmp_path):
    shutil.copytree(embedded, tmp_path / "data")
    return tmp_path / "data"


def test_filtering_again_takes_seconds_and_can_be_taken_back(embedded, copy):
    before = pd.read_parquet(embedded / "shard-00000.parquet")
    videos = before[before.kind == "video"]
    threshold = float(videos.similarity.median())
    done = vidal("filter", str(copy), "--set", f"filters.similarity_min={threshold}", "--json")
    assert done.returncode == 0, done.stderr[-3000:]
    after = pd.read_parquet(copy / "shard-00000.parquet")
    wanted = before[(before.kind == "audio") | (before.similarity >= threshold)]
    assert after.clip_id.tolist() == wanted.clip_id.tolist() and len(after) < len(before)
    assert json.loads(done.stdout.splitlines()[-1])[0]["after"] == len(after)
    ledger = pd.read_parquet(copy / "_ledger").set_index("id")
    gone = set(before.clip_id) - set(after.clip_id)
    assert set(ledger.loc[list(gone)].reason) == {"low_similarity"}
    for clip_id in gone:
        assert list((copy / "_media" / "shard-00000" / clip_id).iterdir())
    assert vidal_inline("validate", str(copy)).returncode == 0
    assert vidal_inline("filter", str(copy), "--set", "filters.similarity_min=0.08").returncode == 0
    assert (copy / "shard-00000.parquet").read_bytes() == (embedded / "shard-00000.parquet").read_bytes()


def test_a_clip_whose_views_were_never_made_waits_for_a_build(embedded, copy):
    done = vidal_inline("filter", str(copy), "--set", "filters.similarity_min=null")
    assert done.returncode == 0 and "more clips pass, but have no views yet" in done.stdout
    assert (copy / "shard-00000.parquet").exists()
    ledger = pd.read_parquet(copy / "_ledger")
    waiting = ledger[ledger.reason == "awaiting_views"]
    assert len(waiting) and "low_similarity" not in set(ledger.reason)
    rows = pd.read_parquet(copy / "shard-00000.parquet")
    assert rows.clip_id.tolist() == pd.read_parquet(embedded / "shard-00000.parquet").clip_id.tolist()


@pytest.mark.slow
def test_a_build_makes_just_the_views_that_were_waited_for(embedded, copy):
    assert vidal_inline("filter", str(copy), "--set", "filters.similarity_min=null").returncode == 0
    kept = {path: path.stat().st_mtime_ns for path in copy.glob("_media/*/*/frames/*.jpg")}
    done = vidal_inline(
        "build-shard", "0", "--recipe", "embedded", "--set", "filters.similarity_min=null", "--out", str(copy)
    )
    assert done.returncode == 0, done.stderr[-3000:]
    before, after = pd.read_parquet(embedded / "shard-00000.parquet"), pd.read_parquet(copy / "shard-00000.parquet")
    assert set(before.clip_id) < set(after.clip_id)
    assert "awaiting_views" not in set(pd.read_parquet(copy / "_ledger").reason)
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert vidal_inline("validate", str(copy)).returncode == 0


@pytest.mark.parametrize("override", ["filters.similarity_min=high", "motion=1", "nonsense"])
def test_a_threshold_that_is_none_is_told_in_one_line(embedded, override):
    done = vidal_inline("filter", str(embedded), "--set", override)
    assert done.returncode == 2 and len(done.stderr.strip().splitlines()) == 1
