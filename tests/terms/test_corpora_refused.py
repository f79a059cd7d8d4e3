"""A corpus that cannot be read is told in one line, whatever its bytes are."""

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.corpora import read
from vidal.errors import UserError
from vidal.terms.corpora import texts
from vidal.terms.readers import READERS
from vidal.terms.settings import Corpus

BAD = [
    ("text", "absent.txt", None, "no such file: give a path, a URI or a file of search_terms/"),
    ("csv", "a.csv", b"caption\nx\n", "`column` is not set"),
    ("audiocaps", "a.csv", b"id,title\n1,x\n", "no column caption; the columns are: id, title"),
    ("audiocaps", "a.csv", b"", "no column caption; the columns are: none"),
    ("audiocaps", "a.csv", b'caption\nx\n"never closed\n', "line 3: unexpected end of data"),
    ("audiocaps", "a.csv", "caption\nx".encode("utf-16"), "binary or UTF-16"),
    ("audiocaps", "a.csv.gz", b"caption\nx\n", "Not a gzipped file"),
    ("audiocaps", "a.csv.zst", b"caption\nx\n", "ZSTD decompress failed"),
    ("audiocaps", "a.csv.xz", b"caption\nx\n", "damaged or of another format"),
    ("coco_captions", "a.json", b"caption\nx\n", "not JSON"),
    ("coco_captions", "a.json", b'{"annotations": [{"caption": "x"}, ', "not JSON: parse error: premature EOF"),
    ("coco_captions", "a.json", b'{"sentences": [{"caption": "x"}]}', "contains no texts for this reader"),
    ("coco_captions", "a.json", b"[" * 1_000_000, "nested more than 100 levels deep"),
    ("imagenet", "a.json", b'{"images": [{"file_name": "x"}]}', "contains no texts for this reader"),
    ("imagenet", "a.txt", b"n01440764\nn01443537\n", "contains no texts for this reader"),
    ("sthv2", "a.json", b'{"info": {"year": 2017}, "images": []}', "contains no texts for this reader"),
    ("vggsound", "a.csv", b"label,count\nx,1\n", "neither stat.csv nor vggsound.csv: label,count"),
    ("kinetics", "a.json", b'{"x": 1}', "a .json file is not a list"),
    ("text", "a.csv", b"caption\nx\n", "a .csv file is not a list"),
    ("text", "a.txt", b"# nothing\n", "contains no texts for this reader"),
    ("text", "a.txt", b"x" * 2**24 + b"x\n", "a line has 16,777,216 characters or more"),
    ("text", "nowhere://a.txt", None, "cannot be opened: Protocol not known: nowhere"),
    ("text", "memory://absent.txt", None, "no such file"),
]


@pytest.mark.parametrize(
    ("reader", "name", "content", "words"), BAD, ids=[f"{reader} {words}" for reader, _, _, words in BAD]
)
def test_a_bad_file_is_told_in_one_line(tmp_path, monkeypatch, reader, name, content, words):
    monkeypatch.chdir(tmp_path)
    if content is not None:
        Path(name).write_bytes(content)
    with pytest.raises(UserError) as error:
        read(name, reader)
    message = str(error.value)
    assert words in message and message.startswith("corpus mine: ") and message.isprintable() and len(message) < 500


def test_bad_own_tables_are_told(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": "x"}\n[1]\n')
    with pytest.raises(UserError, match=r"no object has the key|line 2 is not a JSON object"):
        read(tmp_path / "a.jsonl", "jsonl", column="caption")
    (tmp_path / "a.jsonl").write_text('{"text": "x"}\n')
    with pytest.raises(UserError, match="no object has the key caption"):
        read(tmp_path / "a.jsonl", "jsonl", column="caption")
    pq.write_table(pa.table({"text": ["x"]}), tmp_path / "a.parquet")
    with pytest.raises(UserError, match=r"no column caption; the columns are: text"):
        read(tmp_path / "a.parquet", "parquet", column="caption")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"holds no \.parquet files"):
        read(tmp_path / "empty", "parquet", column="caption")


def test_bad_subsets_are_told(tmp_path):
    (tmp_path / "words.txt").write_text("n01440764\ttench\n")
    (tmp_path / "plain.txt").write_text("tench\n")
    with pytest.raises(UserError, match=r"absent\.txt: no such file"):
        read(tmp_path / "words.txt", "imagenet", subset="absent.txt")
    with pytest.raises(UserError, match="lists no synset ids"):
        read(tmp_path / "words.txt", "imagenet", subset=str(tmp_path / "plain.txt"))
    with pytest.raises(UserError, match="subset selects synsets by their ids"):
        read(tmp_path / "plain.txt", "imagenet", subset=str(tmp_path / "words.txt"))


def test_an_unknown_reader_is_told_before_anything_is_read():
    with pytest.raises(UserError, match=r"corpus mine: no reader 'cocoa': choose one of .*coco_captions, .*youtube8m"):
        texts(Corpus(source="mine", path="absent", reader="cocoa"))


@pytest.mark.parametrize("reader", READERS)
def test_no_reader_falls_over_a_foreign_file(tmp_path, reader):
    noise = os.urandom(20_000)
    for name, content in {
        "a.json": b'[1, {"a": [null]}, "x"]',
        "a.csv": noise,
        "a.txt": noise,
        "a.parquet": noise,
        "a.jsonl": b"[" * 50_000,
        "a.json.gz": noise,
        "a.json.bz2": noise,
        "folder/a": b"",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        for given in (path, path.parent):
            try:
                read(given, reader, column="a")
            except UserError as error:
                assert str(error).isprintable()
