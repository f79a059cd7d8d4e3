"""Media of clips that ended are deleted where the recipe or the user says so; what is kept and every sum stay as they are."""

import json

import pandas as pd
import pytest

from tests.conftest import LIGHT, sets, write_video
from tests.support.inline import vidal_inline
from vidal.storage.storage import Storage


@pytest.fixture
def build(tmp_path, serve_folder):
    """Builds four clips, of which the two shorter ones are dropped by a score."""
    site = tmp_path / "site"
    site.mkdir()
    for number in range(4):
        write_video(site / f"{number}.mp4", frames=24 + 12 * number)
    base = serve_folder(site)
    rows = "".join(f"{base}/{number}.mp4,A gray wall {number}\n" for number in range(4))
    (tmp_path / "clips.csv").write_text("url,title\n" + rows)

    def run(name, *settings):
        options = sets(
            *LIGHT, "filters.similarity_min=null", "filters.duration_s_min=3.5", "duplicates.near=false", *settings
        )
        done = vidal_inline("build-shard", "0", "--recipe", "catalogue", "--catalogue", str(tmp_path / "clips.csv"),
                            "--allow-host", "127.0.0.1", "--out", str(tmp_path / name), *options)  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
        return done, tmp_path / name

    return run


def clips_with_media(out):
    storage = Storage(str(out))
    names = storage.sizes("_media/shard-00000")
    members = {
        member
        for name in names
        if name.endswith(".tar")
        for member in storage.archives.sizes(f"_media/shard-00000/{name}")
    }
    return {name.partition("/")[0] for name in names if "/" in name} | {member.partition(".")[0] for member in members}


@pytest.mark.parametrize("media", ["files", "tar"])
def test_a_build_that_keeps_no_dropped_media_leaves_none_and_says_how_much(build, media):
    done, out = build("out", f"storage.media={media}", "storage.keep_dropped=false")
    kept = set(pd.read_parquet(out).clip_id)
    assert len(kept) == 2 and clips_with_media(out) == kept
    assert "deleted the media of 2 clips" in done.stdout
    assert vidal_inline("validate", str(out)).returncode == 0
    ledger = pd.read_parquet(out / "_ledger")
    assert ledger[ledger.subject == "clip"].reason.value_counts().to_dict() == {"ok": 2, "filtered": 2}


@pytest.mark.parametrize("media", ["files", "tar"])
def test_clean_does_it_later_and_a_looser_filter_says_what_must_be_fetched_again(build, media, monkeypatch):
    _, out = build("out", f"storage.media={media}")
    assert len(clips_with_media(out)) == 4
    done = vidal_inline("clean", str(out), "--json")
    assert done.returncode == 0 and json.loads(done.stdout)["clips"] == 2
    assert clips_with_media(out) == set(pd.read_parquet(out).clip_id)
    assert json.loads(vidal_inline("clean", str(out), "--json").stdout) == {"clips": 0, "bytes": 0}

    done = vidal_inline("filter", str(out), "--set", "duration_s_min=0.5")
    assert done.returncode == 0 and "2 more clips pass, but their media were deleted" in done.stdout
    assert len(pd.read_parquet(out)) == 2 and vidal_inline("validate", str(out)).returncode == 0
    with monkeypatch.context() as patched:
        patched.setattr(
            "vidal.dataset.retry._finish", lambda *_: None
        )  # The process is killed once the move is recorded.
        vidal_inline("retry", str(out), "--class", "awaiting_media", "--allow-host", "127.0.0.1")
    done = vidal_inline("retry", str(out), "--class", "awaiting_media", "--allow-host", "127.0.0.1")
    assert done.returncode == 0, done.stderr[-3000:]
    assert len(pd.read_parquet(out)) == 4 and len(clips_with_media(out)) == 4
    assert vidal_inline("validate", str(out)).returncode == 0
