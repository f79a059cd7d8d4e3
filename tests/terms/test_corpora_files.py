"""How a corpus is opened: tables of your own, Parquet, compression, URIs, broken bytes; and that reading is lazy."""

import bz2
import gzip
import itertools
import json
import lzma
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.corpora import read
from vidal.errors import UserError
from vidal.terms.corpora import texts
from vidal.terms.settings import Corpus


def test_own_tables_give_their_column(tmp_path):
    (tmp_path / "a.csv").write_text('id, caption\n1,"a dog, a cat"\n\n2,\n3\n4,"two\nlines"\n')
    assert read(tmp_path / "a.csv", "csv", column="caption") == ["a dog, a cat", "two\nlines"]
    (tmp_path / "a.tsv").write_text('caption\turl\n"oh, a dog\tx\na "cat"\ty\n')
    assert read(tmp_path / "a.tsv", "tsv", column="caption") == ['"oh, a dog', 'a "cat"']
    (tmp_path / "a.jsonl").write_text(
        '{"text": "a dog"}\n\n{"other": 1}\n{"text": ["a cat", 3, "a cow"]}\n{"text": null}\n'
    )
    assert read(tmp_path / "a.jsonl", "jsonl", column="text") == ["a dog", "a cat", "a cow"]


def test_parquet_is_a_file_a_folder_or_a_glob(tmp_path):
    folder = tmp_path / "shards"
    folder.mkdir()
    pq.write_table(pa.table({"caption": ["a dog", None, ""], "n": [1, 2, 3]}), folder / "b.parquet")
    pq.write_table(pa.table({"caption": [["a cat", "a cow"], []]}), folder / "a.parquet")
    pq.write_table(pa.table({"caption": pa.array(["x", "y", "x"]).dictionary_encode()}), folder / "c.parquet")
    (folder / "_SUCCESS").touch()
    assert read(folder / "b.parquet", "parquet", column="caption") == ["a dog"]
    assert read(folder, "parquet", column="caption") == ["a cat", "a cow", "a dog", "x", "y", "x"]
    assert read(folder / "[ab].parquet", "parquet", column="caption") == ["a cat", "a cow", "a dog"]
    fsspec.filesystem("memory").pipe("/corpora/b.parquet", (folder / "b.parquet").read_bytes())
    assert read("memory://corpora", "parquet", column="caption") == ["a dog"]


def zst(data: bytes) -> bytes:
    return pa.compress(data, codec="zstd", asbytes=True)


@pytest.mark.parametrize(
    ("end", "pack"), [("gz", gzip.compress), ("bz2", bz2.compress), ("xz", lzma.compress), ("zst", zst)]
)
def test_compression_is_told_by_the_name(tmp_path, end, pack):
    (tmp_path / f"a.txt.{end}").write_bytes(pack("a dog\ncafé\n".encode()))
    assert read(tmp_path / f"a.txt.{end}", "text") == ["a dog", "café"]
    (tmp_path / f"a.json.{end}").write_bytes(pack(b'{"sentences": [{"caption": "a dog"}]}'))
    assert read(tmp_path / f"a.json.{end}", "msrvtt") == ["a dog"]


def test_uris_are_opened(tmp_path, serve_folder):
    fsspec.filesystem("memory").pipe("/corpora/a.csv.gz", gzip.compress(b"caption\na dog\n"))
    assert read("memory://corpora/a.csv.gz", "audiocaps") == ["a dog"]
    (tmp_path / "a.csv").write_text("caption\na cat\n")
    assert read(f"{serve_folder(tmp_path)}/a.csv", "audiocaps") == ["a cat"]


def test_a_bare_name_is_looked_up_in_search_terms_and_a_local_file_goes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert read("coco80.txt", "coco_instances")[:2] == ["person", "bicycle"]
    Path("coco80.txt").write_text("mine\n")
    assert read("coco80.txt", "text") == ["mine"]


def test_marks_and_broken_bytes_do_no_harm(tmp_path):
    mark = b"\xef\xbb\xbf"
    (tmp_path / "a.csv").write_bytes(mark + b"caption\ncaf\xe9 au lait\n")
    assert read(tmp_path / "a.csv", "audiocaps") == ["caf\ufffd au lait"]
    (tmp_path / "a.json").write_bytes(mark + b'{"data": [{"caption": "caf\xe9 au lait"}]}')
    assert read(tmp_path / "a.json", "wavcaps") == ["caf\ufffd au lait"]


def test_json_is_read_past_brackets_in_its_texts(tmp_path):
    texts_ = [f'[[{{ "quoted" {index} \\' + "é" * (index % 7) for index in range(3000)]
    (tmp_path / "a.json").write_text(json.dumps({"data": [{"caption": text} for text in texts_]}, ensure_ascii=False))
    assert read(tmp_path / "a.json", "wavcaps") == texts_


def test_reading_is_lazy(tmp_path):
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"text": "a dog"}\n' * 500_000)[:-100])
    stream = texts(Corpus(source="mine", path=str(path), reader="jsonl", column="text"))
    assert list(itertools.islice(stream, 1000)) == ["a dog"] * 1000
    with pytest.raises(UserError, match="damaged"):
        list(stream)
