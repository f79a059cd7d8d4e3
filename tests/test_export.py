"""The export is what LanguageBind's own loader opens."""

import json

import av
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.conftest import vidal
from vidal.manifest.export import annotation


@pytest.fixture(scope="module")
def exported(embedded, tmp_path_factory):
    target = tmp_path_factory.mktemp("export") / "languagebind"
    done = vidal("export", str(embedded), "--format", "languagebind", "--to", str(target), "--json")
    assert done.returncode == 0, done.stderr
    return target, json.loads(done.stdout.splitlines()[-1])


def test_every_clip_has_its_texts_and_media_where_the_loader_looks(embedded, exported):
    target, summary = exported
    rows = pd.read_parquet(embedded).set_index("clip_id")
    found = json.loads((target / "annotation.json").read_text())
    assert set(found) == set(rows.index) and summary["clips"] == len(rows)
    for clip_id, entry in found.items():
        row, folder = rows.loc[clip_id], target / entry["folder"]
        texts = {
            view: [c["text"] for c in row.captions if c["view"] == view] for view in ("keyframe", "video", "enhanced")
        }
        assert entry["raw"].startswith(row.title) and all(f"#{tag}" in entry["raw"].lower() for tag in row.hashtags)
        assert entry["ofa"] == texts["keyframe"] and [entry["mplug"]] == (texts["video"] or [""])
        if row.kind == "video":
            assert (folder / f"{clip_id}.mp4").read_bytes() == (embedded / row.video_path).read_bytes()
        if isinstance(row.audio_path, str):
            sound = target / f"{entry['folder']}_ffmpeg_mp3" / f"{clip_id}.mp3"
            assert _seconds(sound) == pytest.approx(_seconds(embedded / row.audio_path), abs=0.1)
        for k in range(len(row.infrared_paths)):
            with Image.open(folder / f"{clip_id}_thermal_folder" / f"{k}.jpg") as image:
                assert (image.mode, np.asarray(image).dtype) == ("RGB", np.uint8)
        for k in range(len(row.depth_paths)):
            with Image.open(folder / f"{clip_id}_depth_f8glpn_folder" / f"{k}.png") as image:
                assert np.asarray(image).dtype == np.uint16


def _seconds(path):
    with av.open(str(path)) as opened:
        return opened.duration / 1e6


def test_depth_and_infrared_match_the_published_samples(shared):
    depth, thermal = (shared / "languagebind_sample" / name for name in ("depth/0.png", "thermal/0.jpg"))
    assert Image.open(depth).mode == "I;16" and Image.open(thermal).mode == "RGB"


def test_a_hashtag_that_stands_in_the_title_is_not_said_twice():
    row = {"title": "Cat #Cute", "hashtags": ["cute", "cat"], "captions": [], "shard": 3}
    assert annotation(row) == {
        "folder": "shard-00003",
        "raw": "Cat #Cute #cat",
        "ofa": [],
        "mplug": "",
        "polish_mplug": "",
        "sound_mplug": "",
    }


def test_nothing_is_written_over(embedded, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    done = vidal("export", str(embedded), "--format", "languagebind", "--to", str(tmp_path))
    assert done.returncode == 2 and "holds files" in done.stderr and (tmp_path / "mine.txt").read_text() == "mine"
