"""Media that the user has already are listed with what stands beside them, and read within their folder and their limits alone."""

import io
import itertools
import json
import os
import tarfile
import tempfile
from hashlib import sha256
from pathlib import Path

import datasets
import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fsspec.implementations.local import LocalFileSystem

from tests.support.media_tars import picture_sample, video_sample, write_tar
from vidal.config.loading import load_recipe
from vidal.errors import RecordError, UserError
from vidal.schema import Reason
from vidal.sources.collection import Collection
from vidal.sources.collections import open_collection, source_for
from vidal.sources.listing import RefusedRow
from vidal.sources.subtitle_files import read_cues, words_between


def collection_of(uri: Path | str, *overrides: str) -> Collection:
    source = (f"collection.uri={json.dumps(str(uri))}", f"collection.source={source_for(str(uri))}")
    collection = open_collection(load_recipe("catalogue", (*source, *overrides)))
    assert collection is not None
    return collection


def listed(collection):
    rows = list(collection.candidates(sha256()))
    refused = [row for row in rows if isinstance(row, RefusedRow)]
    return [row for row in rows if not isinstance(row, RefusedRow)], refused


def fetched(collection, candidate, folder):
    folder.mkdir()
    return collection.fetch(candidate, folder).path.read_bytes()


def test_a_folder_is_listed_in_order_with_its_sidecars(tmp_path):
    folder = tmp_path / "videos"
    (folder / "sub").mkdir(parents=True)
    for name in ("b.mp4", "a b.mp4", "a b.c.MKV", "sub/x.wav", "sub/.hidden.mp4"):
        (folder / name).write_bytes(name.encode())
    (folder / "b.json").write_text(
        json.dumps({"caption": "a dog #cute", "license": "CC0-1.0", "n": 2**53 + 1, "formats": ["x" * 3000]})
    )
    (folder / "b.txt").write_text("it runs\n")
    (folder / "a b.info.json").write_text(
        '{"title": "a cat", "webpage_url": "https://example.org/1", "url": "https://cdn"}'
    )
    (folder / "a b.en.vtt").write_text(
        "WEBVTT\n\n1\n00:01.000 --> 00:02.000\n<c>hello</c>\n\n00:02.000 --> 00:03.000\nhello\nyou\n"
    )
    (folder / "notes.md").write_text("x")
    (folder / "out").mkdir()
    (folder / "out" / "_dataset.json").write_text("{}")
    (folder / "out" / "clip.mp4").write_text("x")
    collection = collection_of(folder)
    rows, refused = listed(collection)
    assert not refused and collection.remarks() == ["files ignored: 1 .md"] and collection.extent() == "4 media files"
    assert [row["source_id"] for row in rows] == [
        f"{folder}/{name}" for name in ("a b.c.MKV", "a b.mp4", "b.mp4", "sub/x.wav")
    ]
    plain, cat, dog, _ = rows
    assert (plain["title"], plain["url"], plain["extra"]) == ("", plain["source_id"], {})
    assert (cat["title"], cat["url"]) == ("a cat", "https://example.org/1")
    assert cat["extra"] == {"subtitle_cues": "1.00 2.00 hello\n2.00 3.00 you", "subtitle_automatic": "false"}
    assert (dog["title"], dog["hashtags"], dog["licence"]) == ("a dog #cute", ["cute"], "CC0-1.0")
    assert dog["extra"] == {"n": "9007199254740993", "vidal_views": '{"title": ["it runs"]}'}
    assert fetched(collection, cat, tmp_path / "one") == b"a b.mp4"


def test_links_that_lead_out_of_a_folder_are_refused_and_never_opened(tmp_path):
    folder, outside = tmp_path / "videos", tmp_path / "outside"
    folder.mkdir()
    outside.mkdir()
    (outside / "secret.mp4").write_bytes(b"secret")
    (folder / "good.mp4").write_bytes(b"good")
    (folder / "link.mp4").symlink_to(outside / "secret.mp4")
    (folder / "good.txt").symlink_to(outside / "secret.mp4")
    (folder / "sub").symlink_to(outside)
    (folder / "own.mp4").symlink_to("good.mp4")
    (folder / "gone.mp4").symlink_to("nothing.mp4")
    os.mkfifo(folder / "pipe.mp4")
    collection = collection_of(folder)
    rows, refused = listed(collection)
    assert [Path(row["source_id"]).name for row in rows] == ["good.mp4", "own.mp4"] and rows[0]["title"] == ""
    assert sorted(Path(row.where).name for row in refused) == ["good.txt", "link.mp4", "sub"]
    assert fetched(collection, rows[1], tmp_path / "own") == b"good"
    (folder / "good.mp4").unlink()
    (folder / "good.mp4").symlink_to(outside / "secret.mp4")  # It has become a link since it was listed.
    for location in (
        rows[0]["media_url"],
        f"{folder}/../outside/secret.mp4",
        str(outside / "secret.mp4"),
        f"{folder}/pipe.mp4",
    ):
        with pytest.raises(RecordError) as error:
            collection.fetch({**rows[0], "media_url": location}, tmp_path)
        assert error.value.reason is Reason.UNREADABLE_FILE and not error.value.transient


def test_a_bad_sidecar_a_bad_name_and_a_large_file_cost_their_own_clip(tmp_path):
    for name in ("a.mp4", "b.mp4", "c\nd.mp4", "large.mp4"):
        (tmp_path / name).write_bytes(b"x" * (100 if name.startswith("large") else 5))
    (tmp_path / "a.json").write_text("{")
    (tmp_path / "b.json").write_text('{"clips": [[0, 1], [2, 1]], "caption": ["one", "two"]}')
    collection = collection_of(tmp_path, "crawl.max_bytes=50")
    rows, refused = listed(collection)
    assert [(row["source_id"][-5:], row["end_s"], row["title"]) for row in rows] == [
        ("b.mp4", 1, "one"),
        ("e.mp4", None, ""),
    ]
    assert [row.why[:26] for row in refused] == [
        "its sidecar .json is not J",
        "end_s must be after start_",
        "its name has control chara",
    ]
    with pytest.raises(RecordError, match=r"has 100 bytes, more than the 50 that crawl\.max_bytes allows") as error:
        collection.fetch(rows[1], tmp_path)
    assert error.value.reason is Reason.TOO_LARGE


ODD = ["a [x-1].mp4", "what?.mp4", "50% #1*.mp4", "größe 猫.mp4", "a::b.mp4", "+&=.mp4"]


def test_names_are_never_taken_for_wildcards(tmp_path):
    folder = tmp_path / "set [1]"
    folder.mkdir()
    for name in ODD:
        (folder / name).write_bytes(name.encode())
        (folder / f"{name[:-4]}.txt").write_text(f"text of {name}")
    collection = collection_of(folder)
    rows, refused = listed(collection)
    assert not refused and {row["title"] for row in rows} == {f"text of {name}" for name in ODD}
    for number, row in enumerate(rows):
        assert fetched(collection, row, tmp_path / str(number)).decode() == Path(row["source_id"]).name
    write_tar(folder / "a [1].tar", [video_sample("0", b"x", "https://x/", "a")])
    assert collection_of(folder / "a [1].tar").extent() == "1 archive"


@pytest.fixture
def unprivileged():
    """Root may read everything, so root becomes nobody for the test. Yields a folder that all may write to."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o777)
        own = os.geteuid()
        if own == 0:
            os.seteuid(65534)
        yield Path(folder)
        os.seteuid(own)


def test_what_may_not_be_read_costs_itself(unprivileged):
    (unprivileged / "closed").mkdir(mode=0)
    for name in ("a.mp4", "b.mp4"):
        (unprivileged / name).write_bytes(b"x")
    (unprivileged / "a.txt").write_text("x")
    (unprivileged / "a.txt").chmod(0)
    rows, refused = listed(collection_of(unprivileged))
    assert [Path(row["source_id"]).name for row in rows] == ["b.mp4"]
    assert sorted(row.why.partition(":")[0] for row in refused) == [
        "a sidecar cannot be read",
        "the folder cannot be listed",
    ]


def test_a_folder_that_is_missing_is_said(tmp_path):
    with pytest.raises(UserError, match="no such folder"):
        collection_of(tmp_path / "none").extent()
    (tmp_path / "a.tar").write_bytes(b"")
    with pytest.raises(UserError, match=r"no file there ends in \.tar"):
        collection_of(f"{tmp_path}/b*.tar").extent()


def test_archives_of_video2dataset_and_img2dataset_are_listed_by_sample(tmp_path):
    samples = [
        video_sample("000000000", b"first", "https://example.org/0", "a cat", clips=[["0:00:01.5", "0:00:02"]]),
        video_sample("000000001_00000", b"second" * 200, "https://example.org/1", None),
        ("000000002", {"json": b"{}"}),
        ("000000003", {"m4a": b"sound", "mp4": b"video", "txt": b"both", "json": b"[]"}),
    ]
    write_tar(tmp_path / "00000.tar", samples)
    write_tar(tmp_path / "00001.tar", [picture_sample("000010000", b"picture", "https://example.org/2", "a dog")])
    (tmp_path / "00000_stats.json").write_text("{}")
    pq.write_table(pa.table({"url": ["x"]}), tmp_path / "00000.parquet")
    collection = collection_of(tmp_path)
    rows, refused = listed(collection)
    assert [(row["source_id"], row["url"], row["title"], row["start_s"]) for row in rows] == [
        (f"{tmp_path}/00000.tar/000000000", "https://example.org/0", "a cat", None),
        (f"{tmp_path}/00000.tar/000000001_00000", "https://example.org/1", "", None),
        (f"{tmp_path}/00001.tar/000010000", "https://example.org/2", "a dog", None),
    ]
    assert json.loads(rows[0]["extra"]["clips"]) == [["0:00:01.5", "0:00:02"]]  # The file is this span already.
    assert [row.why for row in refused] == [
        "the sample has no video, sound or picture",
        "its sidecar .json must be a JSON object",
    ]
    contents = [fetched(collection, row, tmp_path / str(number)) for number, row in enumerate(rows)]
    assert contents == [b"first", b"second" * 200, b"picture"]


def test_of_an_archive_headers_and_sidecars_are_read_at_listing_and_each_byte_of_media_once(tmp_path, monkeypatch):
    media = {f"{number:09d}": bytes([number]) * (20_000 + number) for number in range(5)}
    write_tar(
        tmp_path / "0.tar", [video_sample(key, data, f"https://x/{key}", f"clip {key}") for key, data in media.items()]
    )
    collection, ranges = collection_of(tmp_path / "0.tar"), []
    read = LocalFileSystem.cat_file

    def counted(self, path, start=None, end=None, **more):
        ranges.append((start, end))
        return read(self, path, start=start, end=end, **more)

    monkeypatch.setattr(LocalFileSystem, "cat_file", counted)
    rows, _ = listed(collection)
    listing = sum(end - start for start, end in ranges)
    unread = sum(map(len, media.values()))
    assert len(ranges) <= 3 * len(media) + 2 and listing <= (tmp_path / "0.tar").stat().st_size - unread
    for number, row in enumerate(rows):
        assert fetched(collection, row, tmp_path / str(number)) == media[row["source_id"][-9:]]
    spans = sorted(ranges)
    assert all(one[1] <= other[0] for one, other in itertools.pairwise(spans))  # No byte is read twice.


def tar_with(path, *members):
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as tar:
        for name, kind, data in members:
            header = tarfile.TarInfo(name)
            header.type, header.size = kind, len(data)
            header.linkname = "/etc/passwd" if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE) else ""
            tar.addfile(header, io.BytesIO(data))
    return path


def test_links_devices_and_names_that_lead_out_of_an_archive_touch_nothing(tmp_path):
    tar_with(
        tmp_path / "0.tar",
        ("../../../tmp/evil.mp4", tarfile.REGTYPE, b"plain"),
        ("link.mp4", tarfile.SYMTYPE, b""),
        ("hard.mp4", tarfile.LNKTYPE, b""),
        ("device.mp4", tarfile.CHRTYPE, b""),
        ("long/" + "n" * 300 + ".mp4", tarfile.REGTYPE, b"long"),
    )
    collection = collection_of(tmp_path / "0.tar")
    rows, refused = listed(collection)
    assert [fetched(collection, row, tmp_path / str(number)) for number, row in enumerate(rows)] == [b"plain", b"long"]
    assert not refused and not (tmp_path.parent.parent / "tmp" / "evil.mp4").exists()


def test_a_damaged_archive_gives_its_good_samples_and_one_refusal(tmp_path):
    samples = [video_sample(f"{number}", b"v" * 5000, f"https://x/{number}", "text") for number in range(3)]
    whole = write_tar(tmp_path / "whole.tar", samples).read_bytes()
    (tmp_path / "cut").mkdir()
    (tmp_path / "cut" / "0.tar").write_bytes(whole[: whole.rindex(b"v" * 10)])
    (tmp_path / "cut" / "1.tar").write_bytes(b"no tar at all" * 100)
    write_tar(tmp_path / "cut" / "2.tar", samples[:1])
    collection = collection_of(tmp_path / "cut")
    rows, refused = listed(collection)
    assert [row["source_id"][-7:] for row in rows] == ["0.tar/0", "0.tar/1", "0.tar/2", "2.tar/0"]
    assert [Path(row.where).name for row in refused] == ["0.tar", "1.tar"]
    with pytest.raises(RecordError, match="ends after") as error:
        collection.fetch(rows[2], tmp_path)
    assert error.value.reason is Reason.UNREADABLE_FILE


def test_a_header_that_claims_gigabytes_is_refused_unread(tmp_path):
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 2**33
    with (tmp_path / "0.tar").open("wb") as file:
        file.write(header.tobuf(tarfile.GNU_FORMAT))
        file.truncate(2**33 + 4096)
    rows, refused = listed(collection_of(tmp_path / "0.tar"))
    assert not rows and "later samples cannot be read" in refused[0].why


VIDEO = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def test_bytes_of_a_table_of_the_datasets_library_are_listed_without_being_read(tmp_path):
    cells = [
        {"bytes": b"one", "path": "a.mp4"},
        {"bytes": None, "path": "clips/two.mp4"},
        {"bytes": b"x" * 60, "path": None},
        None,
    ]
    table = pa.table({"video": pa.array(cells, VIDEO), "caption": ["a", "b", "c", "d"], "id": [2**53 + 1, None, 3, 4]})
    (tmp_path / "data" / "clips").mkdir(parents=True)
    (tmp_path / "data" / "clips" / "two.mp4").write_bytes(b"two")
    pq.write_table(table, tmp_path / "data" / "train-00000.parquet", row_group_size=2)
    collection = collection_of(tmp_path, "crawl.max_bytes=50")
    rows, refused = listed(collection)
    assert not refused and [row["title"] for row in rows] == ["a", "b", "c", "d"]
    assert [row["extra"] for row in rows[:2]] == [{"id": str(2**53 + 1)}, {}]
    assert [fetched(collection, row, tmp_path / str(number)) for number, row in enumerate(rows[:2])] == [b"one", b"two"]
    reasons = []
    for row in rows[2:]:
        with pytest.raises(RecordError) as error:
            collection.fetch(row, tmp_path)
        reasons.append(error.value.reason)
    assert reasons == [Reason.TOO_LARGE, Reason.EMPTY_FILE]
    collection.close()


def test_a_column_of_paths_leads_to_files_beside_the_table_and_nowhere_else(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "one.mp4").write_bytes(b"one")
    (tmp_path / "secret.mp4").write_bytes(b"secret")
    paths = ["./one.mp4", "../secret.mp4", "/etc/passwd", "https://example.org/1.mp4", "gone.mp4"]
    pq.write_table(pa.table({"file_name": paths, "text": list("abcde")}), folder / "t.parquet")
    collection = collection_of(folder / "t.parquet", "columns.caption=text")
    rows, refused = listed(collection)
    assert [row["title"] for row in rows] == ["a", "e"] and len(refused) == 3
    assert fetched(collection, rows[0], tmp_path / "0") == b"one"
    with pytest.raises(RecordError) as error:
        collection.fetch(rows[1], tmp_path)
    assert error.value.reason is Reason.UNREADABLE_FILE


def test_the_source_of_a_folder_is_known_by_the_archives_or_the_tables_of_media_in_it(tmp_path):
    for name in ("videos", "tars", "tables"):
        (tmp_path / name / "data").mkdir(parents=True)
        pq.write_table(pa.table({"url": ["x"], "status": ["success"]}), tmp_path / name / "00000.parquet")
    (tmp_path / "tars" / "00000.tar").write_bytes(b"")
    assert [source_for(str(tmp_path / name)) for name in ("videos", "tars", "tables")] == [
        "folder",
        "webdataset",
        "folder",
    ]
    (tmp_path / "tables" / "00000.parquet").unlink()
    pq.write_table(pa.table({"bytes": [b"x"]}), tmp_path / "tables" / "data" / "train.parquet")
    assert source_for(str(tmp_path / "tables")) == "parquet"
    assert source_for("s3://nowhere/a/*.tar") == "webdataset" and source_for("/data/x.PARQUET") == "parquet"


def test_a_table_without_media_is_said_with_its_columns(tmp_path):
    pq.write_table(pa.table({"mine": [b"x"], "text": ["a"]}), tmp_path / "t.parquet")
    assert [row["title"] for row in listed(collection_of(tmp_path / "t.parquet", "columns.title=text"))[0]] == ["a"]
    pq.write_table(pa.table({"mine": ["x"], "text": ["a"]}), tmp_path / "t.parquet")
    with pytest.raises(
        UserError,
        match=r"no column of media was recognised: name it with --set collection\.media=COLUMN; the columns are mine, text",
    ):
        listed(collection_of(tmp_path / "t.parquet"))
    with pytest.raises(UserError, match=r"collection\.media names 'none_such', but the columns are mine, text"):
        listed(collection_of(tmp_path / "t.parquet", "collection.media=none_such"))


@pytest.mark.parametrize(
    "text",
    ["1\r\n00:00:01,000 --> 00:00:02,000\r\n{\\an8}<i>Hello</i>\r\n there\r\n\r\n2\r\n00:00:02,000 --> 00:00:03,000\r\nthere\r\n",
     "\ufeffWEBVTT\n\nNOTE no cue\n\nSTYLE\n::cue {}\n\nid-1\n00:01.000 --> 00:02.000 align:start\nHello\nthere\n"],
)  # fmt: skip
def test_the_words_of_subtitles_are_read_without_times_and_marks(text):
    assert words_between(read_cues(text.encode())) == "Hello there"
    assert words_between(read_cues(text.encode()), 2.0, 3.0) == ""
    assert words_between(read_cues(text.encode()), 1.0, 2.0) == "Hello there"


def test_reference_is_for_folders_alone_and_a_build_has_one_input():
    with pytest.raises(UserError, match=r"storage\.media: reference needs a folder or bucket of media files"):
        load_recipe("catalogue", ("storage.media=reference",), catalogue="c.csv")
    with pytest.raises(UserError, match=r"storage\.media: reference needs a folder or bucket of media files"):
        load_recipe("catalogue", ("storage.media=reference", "collection.source=webdataset", "collection.uri=/data"))
    with pytest.raises(UserError, match="either a catalogue or a collection"):
        load_recipe("catalogue", ("collection.source=folder", "collection.uri=/data"), catalogue="c.csv")
    with pytest.raises(UserError, match="unknown source 'disk': choose from arrow, folder, parquet, webdataset"):
        load_recipe("catalogue", ("collection.source=disk", "collection.uri=/data"))


def write_saved(folder, count=5, **options):
    """As save_to_disk of the datasets library writes it."""
    features = datasets.Features(
        {"video": datasets.Video(decode=False), "caption": datasets.Value("string"), "id": datasets.Value("int64")}
    )
    cells = [{"bytes": f"clip {number}".encode(), "path": f"{number}.mp4"} for number in range(count)]
    columns = {"video": cells, "caption": [f"a cat {number}" for number in range(count)], "id": [2**53 + 1] * count}
    datasets.Dataset.from_dict(columns, features=features).save_to_disk(str(folder), **options)
    return folder


def test_a_folder_of_save_to_disk_is_read(tmp_path):
    folder = write_saved(tmp_path / "saved", num_shards=2)
    (folder / "cache-1234.arrow").write_bytes(b"not ours")
    assert source_for(str(folder)) == "arrow"
    collection = collection_of(folder)
    rows, refused = listed(collection)
    assert not refused and collection.extent() == "2 tables"
    assert [(row["title"], row["extra"]) for row in rows] == [
        (f"a cat {number}", {"id": str(2**53 + 1)}) for number in range(5)
    ]
    assert [fetched(collection, row, tmp_path / str(number)) for number, row in enumerate(rows)] == [
        f"clip {number}".encode() for number in range(5)
    ]
    both = tmp_path / "both"
    datasets.DatasetDict({name: datasets.load_from_disk(str(folder)) for name in ("train", "test")}).save_to_disk(
        str(both)
    )
    assert source_for(str(both)) == "arrow" and len(listed(collection_of(both))[0]) == 10
    assert len(listed(collection_of(both / "train" / "*.arrow"))[0]) == 5


@pytest.mark.parametrize("kind", ["stream", "file"])
def test_batches_of_both_formats_of_arrow_are_found_again(tmp_path, kind):
    cells = [b"one", None, b"x" * 60, b"four"]
    table = pa.table({"media": pa.array(cells, pa.large_binary()), "caption": list("abcd")})
    writer = pa.ipc.new_stream if kind == "stream" else pa.ipc.new_file
    with writer(str(tmp_path / "t.arrow"), table.schema) as sink:
        sink.write_table(table, max_chunksize=2)
    collection = collection_of(tmp_path / "t.arrow", "crawl.max_bytes=50")
    rows, _ = listed(collection)
    assert [row["title"] for row in rows] == list("abcd")
    outcomes = []
    for number, row in enumerate(rows):
        try:
            outcomes.append(fetched(collection, row, tmp_path / str(number)))
        except RecordError as error:
            outcomes.append(error.reason)
    assert outcomes == [b"one", Reason.EMPTY_FILE, Reason.TOO_LARGE, b"four"]


def test_arrow_files_that_are_none_or_in_a_bucket_are_said(tmp_path):
    whole = write_saved(tmp_path / "saved") / "data-00000-of-00001.arrow"
    for name, content in (
        ("empty", b""),
        ("words", b"some words" * 9),
        ("half", whole.read_bytes()[:-300]),
        ("magic", b"ARROW1\0\0"),
    ):
        (tmp_path / f"{name}.arrow").write_bytes(content)
        with pytest.raises(UserError, match="cannot be read"):
            listed(collection_of(tmp_path / f"{name}.arrow"))
    remote = fsspec.filesystem("memory")
    remote.pipe_file("/arrow/t.arrow", whole.read_bytes())
    with pytest.raises(
        UserError, match=r"can only be read from a local disk: copy them to one, or write them with datasets"
    ):
        listed(collection_of("memory://arrow/t.arrow"))
