"""Copies across shards built apart, and clips of an evaluation set, through the commands as a user runs them."""

import json
import subprocess

import pandas as pd
import pytest

from tests.conftest import LIGHT, sets
from tests.support.copies import make
from tests.support.inline import vidal_inline
from vidal.config.loading import load_recipe
from vidal.dedup import decontamination
from vidal.errors import UserError
from vidal.media.ffmpeg import executable
from vidal.sources.embedded.media import build_media

QUICK = (*LIGHT, "filters.similarity_min=null", "shard_candidates=3")


@pytest.fixture(scope="module")
def media(tmp_path_factory):
    """Two films and a sound, and copies of one of each."""
    folder, made = tmp_path_factory.mktemp("site"), build_media()
    for name in ("cat.mp4", "coffee.mp4"):
        (folder / name).write_bytes((made / name).read_bytes())
    (folder / "dog.mp3").write_bytes((made / "dog-sound.mp3").read_bytes())
    make(folder / "cat.mp4", folder / "cat-copy.mp4", "cropped 5 %")
    command = [executable(), "-v", "error", "-i", str(folder / "dog.mp3"), "-af", "volume=0.5", "-b:a", "64k"]
    subprocess.run([*command, str(folder / "dog-copy.mp3")], check=True)
    return folder


@pytest.fixture(scope="module")
def dataset(media, tmp_path_factory):
    """Shard 1 holds copies of what is in shard 0, and was built before it."""
    from aiohttp import web

    from vidal.sources.embedded.site import serve

    root = tmp_path_factory.mktemp("two")
    app = web.Application()
    app.router.add_static("/", media)
    names = ("cat.mp4", "coffee.mp4", "dog.mp3", "cat-copy.mp4", "dog-copy.mp3")
    with serve(app) as base:
        listed = pd.DataFrame({"url": [f"{base}/{name}" for name in names], "title": names})
        listed.to_csv(root / "clips.csv", index=False)
        arguments = ("--out", str(root / "data"), "--catalogue", str(root / "clips.csv"), "--allow-host", "127.0.0.1")
        for shard in ("1", "0"):
            done = vidal_inline("build-shard", shard, *arguments, *sets(*QUICK))
            assert done.returncode == 0, done.stderr
    return root / "data", arguments


def test_copies_in_a_shard_built_apart_are_marked(dataset):
    rows = pd.read_parquet(dataset[0]).set_index("title")
    assert set(rows.index) == {"cat.mp4", "coffee.mp4", "dog.mp3", "cat-copy.mp4", "dog-copy.mp3"}
    marks = rows.duplicate_of.dropna().to_dict()
    assert marks == {"cat-copy.mp4": rows.clip_id["cat.mp4"], "dog-copy.mp3": rows.clip_id["dog.mp3"]}
    assert vidal_inline("validate", str(dataset[0])).returncode == 0


def test_clips_of_an_evaluation_set_are_marked_and_stay(dataset, media, tmp_path):
    out, arguments = dataset
    held = tmp_path / "held-out"
    held.mkdir()
    for name in ("cat-copy.mp4", "dog-copy.mp3"):
        (held / name).write_bytes((media / name).read_bytes())
    (held / "notes.txt").write_text("no media")
    signatures = tmp_path / "signatures.parquet"
    done = vidal_inline("signatures", str(held), "--to", str(signatures), *sets(*QUICK))
    assert done.returncode == 1 and "notes.txt: not_media" in done.stderr
    ids = tmp_path / "ids.csv"
    before = pd.read_parquet(out).set_index("title")
    ids.write_text(f"video_id,caption\n{before.url['coffee.mp4']},x\nnot-here,y\n")
    wanted = [
        {"name": "media", "signatures": str(signatures), "semantic": 0.999},
        {"name": "listed", "ids": str(ids), "column": "video_id"},
    ]
    done = vidal_inline(
        "build-shard", "0-1", *arguments, *sets(*QUICK, f"decontaminate={json.dumps(wanted)}"), "--json"
    )
    assert done.returncode == 0, done.stderr
    assert [report["contaminated"] for report in json.loads(done.stdout.splitlines()[-1])] == [
        {"listed": 1, "media": 2},
        {"media": 2},
    ]
    rows = pd.read_parquet(out).set_index("title")
    assert len(rows) == len(before)
    assert {title: list(names) for title, names in rows.contaminates.items()} == {
        "cat.mp4": ["media"], "coffee.mp4": ["listed"], "dog.mp3": ["media"],
        "cat-copy.mp4": ["media"], "dog-copy.mp3": ["media"],
    }  # fmt: skip
    assert "the same bytes as cat-copy.mp4" in json.loads(rows.extra["cat-copy.mp4"])["contaminates_media"]
    assert json.loads(rows.extra["dog.mp3"])["contaminates_media"].endswith("fingerprint from dog-copy.mp3")


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ({"name": "a"}, "give ids, signatures or both"),
        ({"name": "a", "ids": "absent.txt"}, "absent.txt: No such file"),
        ({"name": "a", "signatures": "absent.parquet"}, "absent.parquet"),
        ({"name": "a", "ids": "ids.csv", "column": "b"}, "has no column 'b'"),
        ({"name": "a b", "ids": "ids.csv"}, "decontaminate.0.name"),
    ],
)
def test_an_evaluation_set_that_cannot_be_had_is_told_before_any_work(tmp_path, monkeypatch, entry, says):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ids.csv").write_text("a\n1\n")
    with pytest.raises(UserError, match=says):
        decontamination.load_sets(load_recipe("embedded", (f"decontaminate={json.dumps([entry])}",)))


def test_vectors_of_other_models_are_refused(media, tmp_path):
    from pathlib import Path

    from vidal.dedup import signatures

    folder, target = tmp_path / "one", Path(tmp_path / "s.parquet")
    folder.mkdir()
    (folder / "dog.mp3").write_bytes((media / "dog.mp3").read_bytes())
    recipe = load_recipe("embedded")
    assert signatures.write(folder, target, recipe) == (1, [])
    entry = {"name": "a", "signatures": str(target)}
    other = "similarity.model={adapter: open_clip, id: ViT-B-32/x}"
    assert decontamination.load_sets(load_recipe("embedded", (f"decontaminate={json.dumps([entry])}", other)))
    entry["semantic"] = 0.9
    with pytest.raises(UserError, match="were not computed by the recipe's models: run vidal signatures"):
        decontamination.load_sets(load_recipe("embedded", (f"decontaminate={json.dumps([entry])}", other)))
