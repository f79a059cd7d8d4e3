"""Shards of media that the user has already: a folder, a bucket, archives, a table. Each is built and validated."""

import collections
import json
import re
from collections.abc import Iterator
from pathlib import Path

import datasets
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fsspec.implementations.local import LocalFileSystem
from PIL import Image

import vidal as package
from tests.conftest import LIGHT, sets, write_video
from tests.support.inline import vidal_inline
from tests.support.media_tars import picture_sample, video_sample, write_tar
from tests.support.opened_files import opened_files
from tests.support.s3_server import environment, s3_server

# Gray clips are copies of each other and resemble no title.
STAY = ("filters.similarity_min=null", "duplicates.near=false", "duplicates.exact=false")


def build(source: Path | str, out: Path, *overrides: str) -> str:
    done = vidal_inline("build-shard", "0", "--recipe", "catalogue", "--from", str(source), "--out", str(out),
                        *sets(*LIGHT, *STAY, *overrides))  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:] + done.stdout[-3000:]
    checked = vidal_inline("validate", str(out))
    assert checked.returncode == 0, checked.stdout
    return done.stdout


def rows_of(out: Path) -> list[dict]:
    return pd.read_parquet(out).sort_values("source_id").to_dict("records")


def write_clips(folder: Path, count: int) -> Path:
    """Clips of different lengths, each with a caption beside it; the last is silent sound."""
    folder.mkdir(parents=True)
    for number in range(count):
        write_video(folder / f"{number:03d}.mp4", frames=12 + number % 5)
        (folder / f"{number:03d}.json").write_text(
            json.dumps({"caption": f"A gray wall, take {number}", "take": number})
        )
    return folder


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty bucket at s3://bucket. Yields the log of its requests."""
    import s3fs

    with s3_server(tmp_path / "s3.log") as address:
        for name, value in environment(address).items():
            monkeypatch.setenv(name, value)
        s3fs.S3FileSystem.clear_instance_cache()
        s3fs.S3FileSystem(skip_instance_cache=True).mkdir("bucket")
        yield tmp_path / "s3.log"
    s3fs.S3FileSystem.clear_instance_cache()


def put(folder: Path, prefix: str) -> None:
    import s3fs

    fs = s3fs.S3FileSystem(skip_instance_cache=True)
    for path in sorted(folder.iterdir()):
        fs.put_file(str(path), f"{prefix}/{path.name}")


def snapshot(folder: Path) -> dict[str, tuple[bytes, int, int]]:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_nlink) for path in files}


def test_a_folder_is_built_and_each_file_is_read_once(tmp_path):
    folder = write_clips(tmp_path / "videos", 5)
    before = snapshot(folder)
    with opened_files(folder) as opened:
        said = " ".join(build(folder, tmp_path / "out").split())
    assert f"folder {folder}: 5 rows, 0 merged, 0 refused" in said
    assert {name: count for name, count in opened.items() if name.endswith(".mp4")} == {
        f"{n:03d}.mp4": 1 for n in range(5)
    }
    rows = rows_of(tmp_path / "out")
    assert [(row["title"], row["url"], row["platform"]) for row in rows[:1]] == [
        ("A gray wall, take 0", f"{folder}/000.mp4", "folder")
    ]
    assert all(row["video_path"].startswith("_media/") and json.loads(row["extra"])["take"] for row in rows)
    assert snapshot(folder) == before


@pytest.mark.slow
def test_a_folder_of_200_files_is_built_and_each_file_is_read_once(tmp_path):
    folder = write_clips(tmp_path / "videos", 200)
    with opened_files(folder) as opened:
        build(folder, tmp_path / "out")
    assert len(rows_of(tmp_path / "out")) == 200
    assert {name: count for name, count in opened.items() if count != 1} == {}


def test_with_reference_nothing_is_copied_and_no_command_touches_an_original(tmp_path):
    folder = write_clips(tmp_path / "videos", 3)
    (folder / "speech.wav").write_bytes(Path(package.__file__).with_name("none").name.encode())  # No sound: it fails.
    before, out = snapshot(folder), tmp_path / "out"
    build(folder, out, "storage.media=reference")
    rows = rows_of(out)
    assert [row["video_path"] for row in rows] == [f"{folder}/{number:03d}.mp4" for number in range(3)]
    assert all(path.startswith("_media/") for row in rows for path in row["frame_paths"])
    assert not list(out.rglob("*.mp4"))
    assert package.open(str(out)).read(rows[0]["video_path"]) == (folder / "000.mp4").read_bytes()
    with pytest.raises(ValueError, match="is outside the dataset"):
        package.open(str(out)).read(f"{folder}/../secret.mp4")
    with pytest.raises(ValueError, match="is outside the dataset"):
        package.open(str(out)).read("/etc/passwd")
    assert vidal_inline("retry", str(out), "--class", "not_media").returncode == 0
    assert vidal_inline("filter", str(out), *sets("similarity_min=0.99")).returncode == 0
    assert vidal_inline("clean", str(out)).returncode == 0
    assert vidal_inline("export", str(out), "--format", "webdataset", "--to", str(tmp_path / "export")).returncode == 0
    assert snapshot(folder) == before and sorted(path.name for path in folder.iterdir()) == sorted(
        Path(name).name for name in before
    )


def test_a_dataset_belongs_to_one_folder(tmp_path):
    out = tmp_path / "out"
    for name in ("one", "other"):
        write_clips(tmp_path / name / "videos", 1)
    build(tmp_path / "one" / "videos", out)
    done = vidal_inline(
        "build-shard", "0", "--recipe", "catalogue", "--from", str(tmp_path / "other" / "videos"), "--out", str(out)
    )
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert f"was built with the media folder {tmp_path}/one/videos, but" in done.stderr
    assert f"with the media folder {tmp_path}/other/videos: choose another --out" in done.stderr


def test_with_reference_and_without_dropped_media_originals_stay_and_a_changed_one_is_found(tmp_path):
    folder, out = write_clips(tmp_path / "videos", 2), tmp_path / "out"
    before = snapshot(folder)
    done = vidal_inline("build-shard", "0", "--recipe", "catalogue", "--from", str(folder), "--out", str(out),
                        *sets(*LIGHT, "filters.similarity_min=1", "storage.media=reference", "storage.keep_dropped=false"))  # fmt: skip
    assert done.returncode == 1 and not rows_of(out) and snapshot(folder) == before
    out = tmp_path / "cleaned"
    vidal_inline("build-shard", "0", "--recipe", "catalogue", "--from", str(folder), "--out", str(out),
                 *sets(*LIGHT, "filters.similarity_min=1", "storage.media=reference"))  # fmt: skip
    assert vidal_inline("clean", str(out)).returncode == 0 and snapshot(folder) == before
    build(folder, tmp_path / "kept", "storage.media=reference")
    (folder / "001.mp4").write_bytes((folder / "000.mp4").read_bytes())
    checked = vidal_inline("validate", str(tmp_path / "kept"))
    assert checked.returncode == 1 and f"{folder}/001.mp4 has another sha256" in checked.stdout


def test_with_reference_a_span_is_cut_into_the_dataset_and_its_original_stays(tmp_path):
    folder, out = tmp_path / "videos", tmp_path / "out"
    folder.mkdir()
    write_video(folder / "a.mp4", frames=60)
    (folder / "a.json").write_text('{"clips": [[0, 1], [1, 2.5]], "caption": ["a", "b"]}')
    before = snapshot(folder)
    build(folder, out, "storage.media=reference")
    rows = sorted(rows_of(out), key=lambda row: row["start_s"])
    assert [(row["title"], row["start_s"], row["video_path"][:7]) for row in rows] == [
        ("a", 0, "_media/"),
        ("b", 1, "_media/"),
    ]
    assert snapshot(folder) == before


@pytest.mark.parametrize("media", ["files", "reference"])
def test_a_prefix_of_a_bucket_is_built(bucket, tmp_path, media):
    folder = write_clips(tmp_path / "videos", 3)
    for path in list(folder.glob("002.*")):
        path.rename(folder / f"a [x] #50% 猫{path.suffix}")
    put(folder, "bucket/videos")
    build("s3://bucket/videos", tmp_path / "out", f"storage.media={media}")
    rows = rows_of(tmp_path / "out")
    assert [row["url"] for row in rows] == [
        f"s3://bucket/videos/{name}.mp4" for name in ("000", "001", "a [x] #50% 猫")
    ]
    if media == "files":
        requests = collections.Counter(re.findall(r"GET /bucket/videos/(\S+?)[? ]", bucket.read_text()))
        assert {name: count for name, count in requests.items() if count != 1} == {}
        assert len(requests) == 6  # Each clip and each sidecar.
    else:
        assert [row["video_path"] for row in rows] == [row["url"] for row in rows]
        assert rows[2]["title"] == "A gray wall, take 2"
        original = (tmp_path / "videos" / "000.mp4").read_bytes()
        assert package.open(str(tmp_path / "out")).read(rows[0]["video_path"]) == original


def test_archives_of_video2dataset_are_built_and_each_byte_of_media_is_read_once(tmp_path, monkeypatch):
    clips = write_clips(tmp_path / "videos", 4)
    contents = [(clips / f"{number:03d}.mp4").read_bytes() for number in range(4)]
    samples = [
        video_sample(f"00000000{number}", content, f"https://example.org/{number}", f"A gray wall, take {number}")
        for number, content in enumerate(contents)
    ]
    (tmp_path / "tars").mkdir()
    write_tar(tmp_path / "tars" / "00000.tar", samples[:2])
    write_tar(tmp_path / "tars" / "00001.tar", samples[2:])
    ranges: list[tuple[str, int, int]] = []
    read = LocalFileSystem.cat_file

    def counted(self, path, start=None, end=None, **more):
        if path.endswith(".tar"):
            ranges.append((path, start, end))
        return read(self, path, start=start, end=end, **more)

    monkeypatch.setattr(LocalFileSystem, "cat_file", counted)
    build(tmp_path / "tars", tmp_path / "out")
    rows = rows_of(tmp_path / "out")
    assert [(row["url"], row["title"]) for row in rows] == [
        (f"https://example.org/{number}", f"A gray wall, take {number}") for number in range(4)
    ]
    for (path, _, end), (other, start, _) in zip(sorted(ranges), sorted(ranges)[1:], strict=False):
        assert path != other or end <= start
    assert sum(end - start for _, start, end in ranges) >= sum(map(len, contents))


def test_a_bucket_of_archives_of_img2dataset_is_listed_and_every_picture_has_its_outcome(bucket, tmp_path):
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "a.jpg")
    (tmp_path / "tars").mkdir()
    picture = picture_sample("000000000", (tmp_path / "a.jpg").read_bytes(), "https://example.org/1", "black")
    video = video_sample("000000001", write_video(tmp_path / "b.mp4").read_bytes(), "https://example.org/2", "gray")
    put(write_tar(tmp_path / "tars" / "0.tar", [picture, video]).parent, "bucket/tars")
    build("s3://bucket/tars/*.tar", tmp_path / "out")
    ledger = pd.read_parquet(tmp_path / "out" / "_ledger")
    candidates = ledger[ledger.subject == "candidate"]
    assert len(candidates) == 2 and rows_of(tmp_path / "out")[-1]["url"] == "https://example.org/2"


def test_a_table_of_bytes_is_built(tmp_path):
    clips = write_clips(tmp_path / "videos", 4)
    cells = [{"bytes": path.read_bytes(), "path": path.name} for path in sorted(clips.glob("*.mp4"))]
    table = pa.table({"video": cells, "caption": [f"take {number}" for number in range(4)]})
    pq.write_table(table, tmp_path / "t.parquet", row_group_size=2)
    build(tmp_path / "t.parquet", tmp_path / "out")
    assert [row["title"] for row in rows_of(tmp_path / "out")] == [f"take {number}" for number in range(4)]


def test_plan_says_what_a_build_would_be_made_from_and_other_sources_cannot_be_referenced(tmp_path):
    folder = write_clips(tmp_path / "videos", 2)
    done = vidal_inline("plan", "--recipe", "catalogue", "--from", str(folder))
    assert done.returncode == 0 and f"from folder {folder}: 2 media files" in " ".join(done.stdout.split())
    (tmp_path / "c.csv").write_text("url\nhttp://a\n")
    done = vidal_inline("build-shard", "0", "--recipe", "catalogue", "--catalogue", str(tmp_path / "c.csv"),
                        "--out", str(tmp_path / "out"), "--set", "storage.media=reference")  # fmt: skip
    assert done.returncode == 2 and len(done.stderr.strip().splitlines()) == 1
    assert "storage.media: reference needs a folder or bucket" in done.stderr
    done = vidal_inline(
        "build-shard", "0", "--recipe", "catalogue", "--from", str(tmp_path / "none"), "--out", str(tmp_path / "out")
    )
    assert done.returncode == 2 and "no such folder" in done.stderr and not (tmp_path / "out").exists()


def test_a_dataset_that_the_datasets_library_has_saved_is_built(tmp_path):
    clips = sorted(write_clips(tmp_path / "videos", 3).glob("*.mp4"))
    columns = {
        "video": [{"bytes": path.read_bytes(), "path": path.name} for path in clips],
        "caption": ["A gray wall"] * 3,
    }
    features = datasets.Features({"video": datasets.Video(decode=False), "caption": datasets.Value("string")})
    datasets.Dataset.from_dict(columns, features=features).save_to_disk(str(tmp_path / "saved"))
    before = snapshot(tmp_path / "saved")
    build(tmp_path / "saved", tmp_path / "out")
    rows = rows_of(tmp_path / "out")
    assert len(rows) == 3 and {row["title"] for row in rows} == {"A gray wall"}
    assert snapshot(tmp_path / "saved") == before
