"""The released annotation JSON becomes a catalogue, its texts become views, and an export gives them back."""

import json

import pandas as pd
import pytest

from tests.conftest import LIGHT, sets
from tests.support.inline import vidal_inline
from vidal.errors import UserError
from vidal.export import languagebind_annotations
from vidal.sources.embedded.media import build_media

ENTRIES = {
    "cat": {
        "folder": "00001", "raw": "Katze 猫 #Cute #cat", "ofa": [f"a cat {i}" for i in range(8)],
        "mplug": "A cat looks into the camera.", "polish_mplug": "A cat looks up.", "sound_mplug": "A cat purrs.",
    },
    "coffee": {"folder": "00002", "raw": "Espresso", "ofa": [], "mplug": "", "polish_mplug": "", "sound_mplug": ""},
}  # fmt: skip


@pytest.fixture
def annotation(tmp_path):
    (tmp_path / "videocap.json").write_text(json.dumps(ENTRIES, ensure_ascii=False))
    return tmp_path / "videocap.json"


def test_a_round_trip_loses_nothing_that_the_format_holds(annotation, serve_folder, tmp_path):
    made = build_media()
    for name in ("cat", "coffee"):
        (tmp_path / "site" / ENTRIES[name]["folder"]).mkdir(parents=True)
        (tmp_path / "site" / ENTRIES[name]["folder"] / f"{name}.mp4").write_bytes((made / f"{name}.mp4").read_bytes())
    url = f"{serve_folder(tmp_path / 'site')}/{{folder}}/{{id}}.mp4"
    catalogue, out = tmp_path / "catalogue.parquet", tmp_path / "data"
    done = vidal_inline("import", str(annotation), "--to", str(catalogue), "--url", url, "--json")
    assert done.returncode == 0 and json.loads(done.stdout) == {"clips": 2, "texts": 11}
    light = sets(*LIGHT, "filters.similarity_min=null")
    arguments = ("--catalogue", str(catalogue), "--allow-host", "127.0.0.1", *light)
    done = vidal_inline("build-shard", "0", "--out", str(out), *arguments)
    assert done.returncode == 0, done.stderr
    rows = pd.read_parquet(out)
    cat = next(row for row in rows.itertuples() if json.loads(row.extra)["languagebind_id"] == "cat")
    released = [c for c in cat.captions if c["model"] == "released"]
    assert [c["frame"] for c in released if c["view"] == "keyframe"] == list(range(8))
    assert all(list(c["flags"]) == ["imported"] for c in released) and len(released) == 11
    assert {"keyframe", "video", "enhanced", "sound"} <= set(cat.synthetic_views)
    ledger = pd.read_parquet(out / "_ledger")
    assert (ledger[(ledger.parent_id == cat.clip_id) & (ledger.detail == "imported")].status == "kept").sum() == 4
    assert vidal_inline("export", str(out), "--format", "languagebind", "--to", str(tmp_path / "back")).returncode == 0
    back = json.loads((tmp_path / "back" / "annotation.json").read_text())
    ids = {row.clip_id: json.loads(row.extra)["languagebind_id"] for row in rows.itertuples()}
    texts = {ids[clip_id]: {**entry, "folder": ENTRIES[ids[clip_id]]["folder"]} for clip_id, entry in back.items()}
    assert texts == ENTRIES
    again = tmp_path / "again.parquet"
    languagebind_annotations.read(tmp_path / "back" / "annotation.json", again)
    assert sorted(pd.read_parquet(again).vidal_views) == sorted(pd.read_parquet(catalogue).vidal_views)


def test_ids_are_youtubes_where_nothing_else_is_said(annotation, tmp_path):
    languagebind_annotations.read(annotation, tmp_path / "c.parquet")
    found = pd.read_parquet(tmp_path / "c.parquet")
    assert found.url[0] == "https://www.youtube.com/watch?v=cat"
    assert (found.title[0], list(found.hashtags[0])) == ("Katze 猫 #Cute #cat", ["cute", "cat"])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[]", "must be a mapping of clip ids"),
        ("{", "cannot be read as JSON"),
        ('{"a": 1}', "the entry a must be a mapping"),
        ('{"a": {"ofa": [1]}}', "ofa must be"),
    ],
)
def test_another_file_is_refused_by_what_is_wrong(tmp_path, text, says):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(UserError, match=says):
        languagebind_annotations.read(tmp_path / "a.json", tmp_path / "c.parquet")
    assert not (tmp_path / "c.parquet").exists()
    for url in ("http://x", "http://x/{id}/{name}", "http://x/{id}}", "http://x/{id}/{"):
        with pytest.raises(UserError, match="must contain"):
            languagebind_annotations.read(tmp_path / "a.json", tmp_path / "c.parquet", url)
