"""The export is what LanguageBind's own loader opens."""

import io
import json
import shutil
import tarfile

import av
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from tests.conftest import vidal
from tests.support.inline import vidal_inline
from vidal.export.languagebind import annotation


@pytest.fixture(scope="module")
def exported(embedded, tmp_path_factory):
    target = tmp_path_factory.mktemp("export") / "languagebind"
    done = vidal("export", str(embedded), "--format", "languagebind", "--to", str(target), "--json")
    assert done.returncode == 0, done.stderr
    return target, json.loads(done.stdout.splitlines()[-1])


def test_every_clip_has_its_texts_and_media_where_the_loader_looks(embedded, exported):
    target, summary = exported
    rows = pd.read_parquet(embedded).set_index("clip_id")
    videos, sounds = (json.loads((target / name).read_text()) for name in ("annotation.json", "annotation_sounds.json"))
    assert set(videos) == set(rows.index[rows.kind == "video"]) and set(sounds) == set(rows.index[rows.kind == "audio"])
    found = videos | sounds
    assert summary["clips"] == len(rows)
    for clip_id, entry in found.items():
        row, folder = rows.loc[clip_id], target / entry["folder"]
        texts = {
            view: [c["text"] for c in row.captions if c["view"] == view] for view in ("keyframe", "video", "enhanced")
        }
        assert entry["raw"].startswith(row.title) and all(f"#{tag}" in entry["raw"].lower() for tag in row.hashtags)
        assert entry["ofa"] == texts["keyframe"] and [entry["mplug"]] == (texts["video"] or [""])
        if row.kind == "video":
            video = target / f"{entry['folder']}_resize256_skip15" / f"{clip_id}.mp4"
            assert video.read_bytes() == (embedded / row.video_path).read_bytes()
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


def described(path):
    """What a loader sees of a file: its kind, and of pictures mode, dtype and channels, of streams the codec."""
    if path.suffix in (".png", ".jpg"):
        with Image.open(path) as image:
            array = np.asarray(image)
            return path.suffix, image.format, image.mode, array.dtype, array.shape[2:]
    with av.open(str(path)) as opened:
        video = opened.streams.video[0]
        return path.suffix, opened.format.name, video.codec_context.name, video.codec_context.pix_fmt


def test_the_export_matches_the_published_samples(exported, shared):
    """dtype, channels, container and naming of each view that both hold."""
    target, _ = exported
    samples = shared / "languagebind_sample"
    entry_of = json.loads((target / "annotation.json").read_text())
    clips = [(target / entry["folder"], clip_id) for clip_id, entry in entry_of.items() if entry["ofa"]]
    for folder, clip_id in clips:
        for view, suffix in (("depth", "depth_f8glpn"), ("thermal", "thermal")):
            written = sorted((folder / f"{clip_id}_{suffix}_folder").iterdir(), key=lambda path: int(path.stem))
            published = sorted((samples / view).iterdir())
            assert [path.name for path in written[:2]] == [path.name for path in published] and len(written) == 8
            assert {described(path) for path in written} == {described(path) for path in published}
        video = target / f"{folder.name}_resize256_skip15" / f"{clip_id}.mp4"
        assert described(video) == described(samples / "video" / "0.mp4")


def test_depth_that_is_no_millimetres_is_said_to_be_none(embedded, exported, tmp_path):
    _, summary = exported
    rows = pd.read_parquet(embedded)
    assert summary["not_millimetres"] == (rows.depth_paths.str.len().gt(0) & rows.depth_kind.ne("metric")).sum() > 0
    done = vidal_inline("export", str(embedded), "--format", "languagebind", "--to", str(tmp_path / "new"))
    assert "clips is not in millimetres" in done.stdout


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
    done = vidal_inline("export", str(embedded), "--format", "languagebind", "--to", str(tmp_path))
    assert done.returncode == 2 and "holds files" in done.stderr and (tmp_path / "mine.txt").read_text() == "mine"


def clip_ids_in(export):
    tables = [pd.read_parquet(path).clip_id for path in export.rglob("*.parquet")]
    annotations = [json.loads(path.read_text()) for path in export.glob("annotation*.json")]
    tars = []
    for path in export.glob("*.tar"):
        with tarfile.open(path) as tar:
            tars.append([name.split(".")[0] for name in tar.getnames()])
    return {clip_id for each in (*tables, *annotations, *tars) for clip_id in each}


@pytest.mark.parametrize("format_", ["languagebind", "webdataset", "hf"])
def test_copies_and_clips_of_evaluation_sets_are_left_out_and_counted(embedded, tmp_path, format_):
    """As the bundled trainer does: what trains on an export must not see them either."""
    data = tmp_path / "data"
    shutil.copytree(embedded, data)
    table = pq.read_table(data / "shard-00000.parquet")
    rows = table.to_pylist()
    written = [row for row in rows if row["duplicate_of"] is None]
    written[0]["contaminates"] = ["msrvtt"]
    pq.write_table(pa.Table.from_pylist(rows, table.schema), data / "shard-00000.parquet")
    done = vidal_inline("export", str(data), "--format", format_, "--to", str(tmp_path / "to"), "--json")
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout.splitlines()[-1])
    assert outcome["clips"] == len(written) - 1 and outcome["left_out"]["of_evaluation_set"] == 1
    assert sum(outcome["left_out"].values()) + outcome["clips"] == len(rows)
    assert clip_ids_in(tmp_path / "to") == {row["clip_id"] for row in written[1:]}
    done = vidal_inline("export", str(data), "--format", format_, "--to", str(tmp_path / "again"))
    assert "left out, as in training" in done.stdout and "of_evaluation_set 1" in done.stdout


@pytest.fixture(scope="module")
def tars(embedded, tmp_path_factory):
    target = tmp_path_factory.mktemp("export") / "tars"
    done = vidal_inline("export", str(embedded), "--format", "webdataset", "--to", str(target))
    assert done.returncode == 0, done.stderr
    return target


def test_tars_hold_what_languagebinds_reader_looks_for(embedded, tars):
    import webdataset

    rows = pd.read_parquet(embedded).set_index("clip_id")
    opened = webdataset.WebDataset([str(path) for path in sorted(tars.glob("*.tar"))], shardshuffle=False)
    samples = {sample["__key__"]: sample for sample in opened}
    assert set(samples) == set(rows.index)
    for clip_id, sample in samples.items():
        row, about = rows.loc[clip_id], json.loads(sample["json"])
        assert about["licence"] == row.licence and about["captions"][0]["model"] == "source"
        assert sample["raw.txt"].decode().startswith(row.title)
        captions = [each["text"] for each in row.captions if each["view"] == "keyframe"]
        assert [sample[f"ofa{k}.txt"].decode() for k in range(len(row.frame_paths))] == captions
        for k, path in enumerate(row.frame_paths):
            assert sample[f"frm{k}.jpg"] == (embedded / path).read_bytes()
            depth, scores = np.load(io.BytesIO(sample[f"dep{k}.npy"])), row.scores
            stored = np.asarray(Image.open(embedded / row.depth_paths[k])).astype(np.float64)
            expected = scores["depth_at_0"] + stored / 65535 * (scores["depth_at_65535"] - scores["depth_at_0"])
            assert depth.dtype == np.float32 and np.allclose(depth, expected, atol=1e-5)
            assert Image.open(io.BytesIO(sample[f"tml{k}.jpg"])).mode == "RGB"
        assert ("flac" in sample) == isinstance(row.audio_path, str)


def test_all_samples_of_a_tar_have_the_same_members_and_sounds_are_apart(embedded, tars):
    import webdataset

    kinds = pd.read_parquet(embedded).set_index("clip_id").kind
    for path in sorted(tars.glob("*.tar")):
        samples = list(webdataset.WebDataset(str(path), shardshuffle=False))
        members = {tuple(sorted(sample.keys() - {"__url__", "__local_path__"})) for sample in samples}
        assert len(members) == 1, path.name
        assert {kinds[sample["__key__"]] for sample in samples} == {"audio" if "sounds" in path.name else "video"}


def test_hugging_faces_library_opens_the_tars(embedded, tars, tmp_path, monkeypatch):
    for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"):
        monkeypatch.setenv(name, "1")
    import datasets

    files = sorted(str(path) for path in tars.glob("train*.tar") if "sounds" not in path.name)
    opened = datasets.load_dataset(
        "webdataset", data_files=files, split="train", cache_dir=str(tmp_path), streaming=True
    )
    opened = opened.cast_column("mp4", datasets.Video(decode=False))
    rows = pd.read_parquet(embedded).set_index("clip_id")
    keys = [sample["__key__"] for sample in opened.select_columns(["__key__", "mp4", "raw.txt"])]
    assert sorted(keys) == sorted(rows.index[rows.kind == "video"])


def test_metric_depth_is_in_metres():
    from vidal.export.webdataset import depth

    buffer = io.BytesIO()
    Image.fromarray(np.array([[1500, 65535]], np.uint16)).save(buffer, "PNG")
    assert depth(buffer.getvalue(), {"depth_kind": "metric"}).tolist() == [[1.5, pytest.approx(65.535)]]


def test_the_same_dataset_gives_the_same_tars(embedded, tars, tmp_path):
    vidal_inline("export", str(embedded), "--format", "webdataset", "--to", str(tmp_path / "again"))
    assert (tmp_path / "again" / "train-00000.tar").read_bytes() == (tars / "train-00000.tar").read_bytes()


def test_hugging_faces_library_opens_pictures_and_texts(embedded, tmp_path, monkeypatch):
    for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"):
        monkeypatch.setenv(name, "1")
    import datasets

    target = tmp_path / "hf"
    done = vidal_inline("export", str(embedded), "--format", "hf", "--to", str(target))
    assert done.returncode == 0, done.stderr
    found = datasets.load_dataset(str(target), split="train", cache_dir=str(tmp_path / "cache"))
    rows = pd.read_parquet(embedded).set_index("clip_id")
    assert isinstance(found.features["depth"].feature, datasets.Image) and isinstance(
        found.features["audio"], datasets.Audio
    )
    assert set(found["clip_id"]) == set(rows.index)
    for each in found:
        row = rows.loc[each["clip_id"]]
        assert len(each["frames"]) == len(row.frame_paths)
        if each["depth"]:
            stored = np.asarray(Image.open(embedded / row.depth_paths[3]))
            assert np.array_equal(np.asarray(each["depth"][3]), stored)
        if isinstance(row.audio_path, str):
            assert each["audio"]["bytes"] == (embedded / row.audio_path).read_bytes()
        assert each["scores"] == pytest.approx(row.scores, nan_ok=True)
        assert [caption["text"] for caption in each["captions"]] == [caption["text"] for caption in row.captions]
    card = (target / "README.md").read_text()
    assert f"{len(rows)} clips" in card and all(f"| {licence} |" in card for licence in rows.licence)
