"""Media as files or packed into archives: the same rows, the same bytes, whoever reads them."""

import io
import json
import tarfile
from pathlib import Path

import fsspec
import pandas as pd
import pytest

from tests.conftest import LIGHT, sets, write_video
from tests.support.inline import vidal_inline
from tests.support.training_batches import assert_same_batches, batches_of
from vidal.errors import DamagedError
from vidal.sources.embedded.media import build_media
from vidal.storage import layout
from vidal.storage.media_store import TarStore
from vidal.storage.storage import Storage

PATHS = ["video_path", "audio_path", "frame_paths", "depth_paths", "infrared_paths"]
STAY = ("filters.similarity_min=null", "duplicates.near=false", "duplicates.exact=false", "engine.part_size=2")


@pytest.fixture(scope="module")
def layouts(tmp_path_factory, serve_folder):
    """The same list of clips, built with files and with archives."""
    folder = tmp_path_factory.mktemp("layouts")
    site = folder / "site"
    site.mkdir()
    for number in range(4):
        write_video(site / f"{number}.mp4", frames=24 + 2 * number)
    (site / "dog.mp3").write_bytes((build_media() / "dog-sound.mp3").read_bytes())
    base = serve_folder(site)
    rows = [{"url": f"{base}/{path.name}", "title": f"A gray wall, {path.name}"} for path in sorted(site.iterdir())]
    pd.DataFrame(rows).to_csv(folder / "clips.csv", index=False)
    for media in ("files", "tar"):
        options = sets(*LIGHT, *STAY, f"storage.media={media}", "crawl.retrieved_at=2026-01-01T00:00:00Z")
        done = vidal_inline("build-shard", "0", "--recipe", "embedded", "--catalogue", str(folder / "clips.csv"),
                            "--allow-host", "127.0.0.1", "--out", str(folder / media), *options)  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
    return folder


def rows_of(out):
    return Storage(str(out)).read_table("shard-00000.parquet").to_pylist()


def media(out, row):
    storage = Storage(str(out))
    names = [row[column] for column in PATHS if isinstance(row[column], str)]
    names += [name for column in PATHS if isinstance(row[column], list) for name in row[column]]
    return [storage.read(name) for name in names]


def test_both_layouts_hold_the_same_rows_and_the_same_bytes(layouts):
    files, packed = rows_of(layouts / "files"), rows_of(layouts / "tar")
    assert len(files) == len(packed) == 5
    for one, other in zip(files, packed, strict=True):
        assert {key: value for key, value in one.items() if key not in PATHS} == {
            key: value for key, value in other.items() if key not in PATHS
        }
        assert media(layouts / "files", one) == media(layouts / "tar", other)
    assert vidal_inline("validate", str(layouts / "tar")).returncode == 0


def test_the_trainer_learns_from_the_same_batches(layouts):
    from_files, packed = (batches_of(str(layouts / name)) for name in ("files", "tar"))
    assert_same_batches(from_files, packed)
    assert_same_batches(packed, batches_of(str(layouts / "tar"), workers=2))
    assert float(packed[0].pixels.float().std()) > 0


def test_an_archive_is_a_webdataset_and_its_paths_are_those_of_fsspec(layouts, monkeypatch):
    row = next(row for row in rows_of(layouts / "tar") if row["frame_paths"])
    path = row["frame_paths"][1]
    assert path == f"tar://{row['clip_id']}.1.jpg::_media/shard-00000/{path.rpartition('/')[2]}"
    monkeypatch.chdir(layouts / "tar")
    with fsspec.open(path) as file:
        assert file.read() == Storage(str(layouts / "tar")).read(path)
    with tarfile.open(layouts / "tar" / layout.split_chained(path)[0]) as tar:
        names = tar.getnames()
    assert names == sorted(names) and f"{row['clip_id']}.0.jpg" in names


def test_exports_and_the_report_read_archives(layouts, tmp_path):
    for format_ in ("webdataset", "hf", "languagebind"):
        for name in ("files", "tar"):
            done = vidal_inline(
                "export", str(layouts / name), "--format", format_, "--to", str(tmp_path / format_ / name)
            )
            assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (tmp_path / "languagebind/tar").rglob("*")) == sorted(
        path.name for path in (tmp_path / "languagebind/files").rglob("*")
    )
    for name in ("files", "tar"):
        with tarfile.open(next((tmp_path / "webdataset" / name).glob("*.tar"))) as tar:
            assert {Path(member).suffix for member in tar.getnames()} >= {".jpg", ".mp4", ".json"}
    assert vidal_inline("report", str(layouts / "tar")).returncode == 0


def test_a_missing_or_older_index_is_read_from_the_headers(layouts):
    out = layouts / "tar"
    path = next(row for row in rows_of(out) if row["frame_paths"])["frame_paths"][1]
    index = out / layout.index_of(layout.split_chained(path)[0])
    content, expected = index.read_bytes(), Storage(str(out)).read(path)
    try:
        index.unlink()
        assert Storage(str(out)).read(path) == expected
        places = json.loads(content)
        index.write_text(json.dumps({name: [offset + 512, size] for name, (offset, size) in places.items()}))
        assert Storage(str(out)).read(path) == expected
        with pytest.raises(FileNotFoundError):
            Storage(str(out)).read("tar://nobody.0.jpg::" + path.partition("::")[2])
    finally:
        index.write_bytes(content)


def test_an_archive_that_is_cut_short_is_one_problem_of_its_files(layouts, tmp_path):
    out = layouts / "tar"
    path = next(row for row in rows_of(out) if row["video_path"])["video_path"]
    archive = out / layout.split_chained(path)[0]
    content = archive.read_bytes()
    try:
        archive.write_bytes(content[:900])
        with pytest.raises((DamagedError, FileNotFoundError)):
            Storage(str(out)).read(path)
        done = vidal_inline("validate", str(out))
        assert done.returncode == 1 and layout.split_chained(path)[1] in done.stdout and "Traceback" not in done.stderr
    finally:
        archive.write_bytes(content)


def test_a_part_that_is_done_again_takes_over_the_members_that_its_rows_still_name(tmp_path):
    storage = Storage(str(tmp_path))
    first = TarStore(storage, 3)
    paths = [first.write(0, clip, "frames/0.jpg", clip.encode()) for clip in ("a", "b", "c")]
    first.commit([{"frame_paths": [path]} for path in paths])
    second = TarStore(storage, 3)
    new = second.write(0, "d", "frames/0.jpg", b"d")
    second.write(0, "e", "frames/0.jpg", b"of a record that failed")
    second.commit([{"frame_paths": [paths[0], new]}, {"frame_paths": [paths[2]]}])
    assert [storage.read(path) for path in (paths[0], paths[2], new)] == [b"a", b"c", b"d"]
    with tarfile.open(fileobj=io.BytesIO(storage.read("_media/shard-00000/part-00003.frames.tar"))) as tar:
        assert tar.getnames() == ["a.0.jpg", "c.0.jpg", "d.0.jpg"]
    with pytest.raises(FileNotFoundError):
        storage.read(paths[1])
