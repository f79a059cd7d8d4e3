"""Lists as users have them, each from a public report of a tool that misread it: no cell moves, and a bad row costs itself alone."""

import bz2
import gzip
import json
import lzma

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.listed import listed, read_list
from vidal.errors import UserError
from vidal.sources.listed_values import parse_seconds

VIEWS = "vidal_views"


def spans(rows):
    return [(row["start_s"], row["end_s"], row["title"]) for row in rows]


@pytest.mark.parametrize(
    "text",
    [
        "url,title\nhttp://x/1.mp4,a cat,\n",
        "url,title,\nhttp://x/1.mp4,a cat,\n",
        " url , title \nhttp://x/1.mp4,a cat\n",
        "\ufeffurl,title\r\nhttp://x/1.mp4,a cat\r\n\r\n,\r\n",
        ",url,title\n0,http://x/1.mp4,a cat\n",
        "url,title,note\nhttp://x/1.mp4,a cat\n",
    ],
)
def test_every_cell_stays_in_its_column(tmp_path, text):
    (tmp_path / "c.csv").write_text(text, encoding="utf-8")
    (row,) = listed(tmp_path / "c.csv")
    assert (row["url"], row["title"], row["extra"]) == ("http://x/1.mp4", "a cat", {})


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_names_are_trimmed_in_every_format(tmp_path, ending):
    frame = pd.DataFrame({"\ufeff url": ["http://x/1.mp4"], "title ": ["a cat"]})
    path = tmp_path / f"c.{ending}"
    frame.to_parquet(path) if ending == "parquet" else frame.to_json(path, orient="records", lines=True)
    (row,) = listed(path)
    assert (row["url"], row["title"]) == ("http://x/1.mp4", "a cat")


def test_a_plain_list_has_one_address_a_line_with_comments_and_a_byte_order_mark(tmp_path):
    (tmp_path / "c.txt").write_text(
        "\ufeff# list\nhttp://x/a b.mp4\n\nhttp://x/2.mp4#t=1\t# the second\n--GkrdYZ9Tc\nnot-an-id\nx/3.mp4\n"
    )
    rows, refused = read_list(tmp_path / "c.txt")
    assert [row["url"] for row in rows] == [
        "http://x/a b.mp4", "http://x/2.mp4#t=1", "https://www.youtube.com/watch?v=--GkrdYZ9Tc"]  # fmt: skip
    assert ["eleven characters, not 'not-an-id'" in row.why for row in refused] == [True, False]


def test_ids_have_eleven_characters(tmp_path):
    (tmp_path / "c.csv").write_text("youtube_id,title\ndQw4w9WgXcQ,a\ndQw4w9WgXc,b\n12,c\n,d\n")
    rows, refused = read_list(tmp_path / "c.csv")
    assert [row["title"] for row in rows] == ["a"] and len(refused) == 3


@pytest.mark.parametrize("number", [9007199254740993, -9007199254740993, 2**64 + 1])
def test_integers_keep_all_digits_beside_a_null(tmp_path, number):
    (tmp_path / "c.jsonl").write_text(f'{{"url":"http://x/1","id":{number}}}\n{{"url":"http://x/2"}}\n')
    assert [row["extra"] for row in listed(tmp_path / "c.jsonl")] == [{"id": str(number)}, {}]
    (tmp_path / "c.csv").write_text(f"url,id\nhttp://x/1,{number}\nhttp://x/2,\n")
    assert listed(tmp_path / "c.csv")[0]["extra"] == {"id": str(number)}


def test_integers_of_parquet_keep_all_digits_beside_a_null(tmp_path):
    table = pa.table({"url": ["http://x/1", "http://x/2"], "id": pa.array([9007199254740993, None], pa.int64())})
    pq.write_table(table, tmp_path / "c.parquet")
    assert [row["extra"] for row in listed(tmp_path / "c.parquet")] == [{"id": "9007199254740993"}, {}]


def test_a_row_of_panda_70m_is_a_clip_for_each_span_with_its_caption(tmp_path):
    row = {
        "videoID": "--_S9IDQPLg",
        "url": "https://www.youtube.com/watch?v=--_S9IDQPLg",
        "timestamp": "[['0:00:08.333', '0:00:12.095'], ['0:02:31.443', '0:02:35.530']]",
        "caption": "['A woman\\'s knife, on a cutting board.', \"It's a pan.\"]",
        "matching_score": "[0.4, 0.5]",
    }
    pd.DataFrame([row]).to_csv(tmp_path / "c.csv", index=False)
    rows = listed(tmp_path / "c.csv")
    assert spans(rows) == [
        (8.333, 12.095, "A woman's knife, on a cutting board."),
        (151.443, 155.53, "It's a pan."),
    ]
    assert [each["extra"] for each in rows] == [
        {"videoID": "--_S9IDQPLg", "matching_score": score} for score in ("0.4", "0.5")
    ]


@pytest.mark.parametrize(
    "cell",
    [
        '[["00:00:01,500", "00:00:04,000"]]',
        "[('0:01.5', 4)]",
        "[[1.5, 4.0]]",
        "00:00:01,500 --> 00:00:04,000",
        "['00:00:01.500 --> 00:00:04.000']",
    ],
)
def test_spans_are_read_as_json_as_python_and_as_subtitles_write_them(tmp_path, cell):
    pd.DataFrame([{"url": "http://x/1", "caption": "['a cat', 'it sits']", "clips": cell}]).to_csv(
        tmp_path / "c.csv", index=False
    )
    (row,) = listed(tmp_path / "c.csv")
    assert spans([row]) == [(1.5, 4.0, "a cat")]
    assert json.loads(row["extra"][VIEWS]) == {"title": ["it sits"]}  # Both captions are of the one span.


def test_a_span_that_is_wrong_costs_itself_and_a_timestamp_that_is_no_span_stays_a_value(tmp_path):
    rows = [
        {"url": "http://x/1", "clips": "[[0, 1], ['-0:01', '0:02'], [2, 1], [3, 4]]"},
        {"url": "http://x/2", "clips": "soon"},
        {"url": "http://x/3", "clips": "[[0, 1], [1, 2]]", "caption": "['a', 'b', 'c']"},
        {"url": "http://x/4", "timestamp": "[1, 2]"},
        {"url": "http://x/5", "timestamp": "2021-05-01 10:00:00"},
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "c.csv", index=False)
    good, refused = read_list(tmp_path / "c.csv")
    assert [(row["url"][-1], row["start_s"]) for row in good] == [("1", 0), ("1", 3), ("4", None), ("5", None)]
    assert [row.where.rpartition("csv, ")[2] for row in refused] == [
        "row 1, span 2",
        "row 1, span 3",
        "row 2",
        "row 3",
    ]
    assert refused[-1].why == "2 spans, but 3 texts in caption: give one text for each span, or a single text for all"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("1:30", 90), ("00:00:01.500", 1.5), ("00:00:01,500", 1.5), ("1:00:00", 3600), (".5", 0.5)],
)
def test_a_time_is_a_number_or_a_clock(text, seconds):
    assert parse_seconds(text) == seconds


@pytest.mark.parametrize(
    "text", ["-1", "-0:01", "0:-1", "00:00:-01,500", "nan", "inf", "1e999", "1,5", "1:2:3:4", True, "١"]
)
def test_a_time_that_is_negative_or_no_time_is_refused(text):
    with pytest.raises(ValueError, match="not a time"):
        parse_seconds(text)


@pytest.mark.parametrize(
    ("cell", "tags"),
    [
        ("['#a', '#b']", ["a", "b"]),
        ('["#A","b"]', ["a", "b"]),
        ("('a',)", ["a"]),
        ("[]", []),
        ("#a #b", ["a", "b"]),
        ("a, b;#a", ["a", "b"]),
        ("['new york', None]", ["new york"]),
        ("", ["cute"]),
    ],
)
def test_hashtags_are_read_from_texts_that_look_like_lists(tmp_path, cell, tags):
    pd.DataFrame([{"url": "http://x/1", "title": "a #cute cat", "hashtags": cell}]).to_csv(
        tmp_path / "c.csv", index=False
    )
    assert listed(tmp_path / "c.csv")[0]["hashtags"] == tags


def test_title_and_caption_are_both_kept(tmp_path):
    (tmp_path / "c.jsonl").write_text('{"url":"http://x/1","title":"a","caption":["b","a","c"]}\n')
    (row,) = listed(tmp_path / "c.jsonl")
    assert row["title"] == "a" and json.loads(row["extra"][VIEWS]) == {"title": ["b", "c"]}


@pytest.mark.parametrize("ending", ["gz", "zst", "bz2", "xz"])
@pytest.mark.parametrize("name", ["c.csv", "c.tsv", "c.jsonl", "c.txt"])
def test_lists_are_read_compressed(tmp_path, ending, name):
    texts = {"c.jsonl": '{"url":"http://x/1"}\n', "c.txt": "http://x/1\n"}
    pack = {
        "gz": gzip.compress,
        "bz2": bz2.compress,
        "xz": lzma.compress,
        "zst": lambda data: pa.compress(data, "zstd", asbytes=True),
    }[ending]
    (tmp_path / f"{name}.{ending}").write_bytes(pack(texts.get(name, "url\nhttp://x/1\n").encode()))
    assert [row["url"] for row in listed(tmp_path / f"{name}.{ending}")] == ["http://x/1"]


@pytest.mark.parametrize("ending", ["gz", "zst"])
def test_a_compressed_list_that_is_cut_short_is_said(tmp_path, ending):
    text = "url\n" + "".join(f"http://x/{number * 7919}\n" for number in range(20_000))
    data = gzip.compress(text.encode()) if ending == "gz" else pa.compress(text.encode(), "zstd", asbytes=True)
    (tmp_path / f"c.csv.{ending}").write_bytes(data[: len(data) // 2])
    with pytest.raises(UserError, match="cannot be read after row"):
        read_list(tmp_path / f"c.csv.{ending}")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("url,start_s\nhttp://a,soon\n", "start_s must be a number of seconds, 0 or more, not 'soon'"),
        ("url,start_s\nhttp://a,-00:00:01\n", "start_s must be a number of seconds, 0 or more, not '-00:00:01'"),
        ("url,start_s,end_s\nhttp://a,5,2\n", "end_s must be after start_s"),
        ("url,kind\nhttp://a,film\n", "kind must be video or audio, not 'film'"),
        ("url,title\n,x\n", "the url is empty"),
        ("url,vidal_views\nhttp://a,[1]\n", "vidal_views must be JSON such as"),
        ("url,clips\nhttp://a,[]\n", "clips is an empty list: give at least one [start, end], or leave the cell empty"),
        (
            "link\nhttp://a\n",
            "no column `url`: name the column of URLs with --set columns.url=COLUMN; the columns are link",
        ),
        (
            "url,title\nhttp://a,a cat, asleep\n",
            "the row has 3 cells, but the list has 2 columns: put quotes around texts that hold delimiters",
        ),
        ('url,title\nhttp://a,"a "cat""\n', "its quotes are wrong"),
    ],
)
def test_a_row_that_cannot_be_used_is_refused_with_its_reason_and_the_next_is_kept(tmp_path, text, why):
    header = text.partition("\n")[0]
    (tmp_path / "c.csv").write_text(text + "http://b" + "," * header.count(",") + "\n")
    rows, refused = read_list(tmp_path / "c.csv")
    assert [row.where[-5:] for row in refused[:1]] == ["row 1"] and why in refused[0].why
    assert [row["url"] for row in rows] == ([] if header == "link" else ["http://b"])


def test_a_quote_that_is_never_closed_costs_its_own_line(tmp_path):
    lines = [f"http://x/{number},cat {number}" for number in range(50)]
    lines[20] = 'http://x/20,"a cat'
    (tmp_path / "c.csv").write_text("\n".join(["url,title", *lines, ""]))
    rows, refused = read_list(tmp_path / "c.csv")
    assert len(rows) == 49 and [row.where[-6:] for row in refused] == ["row 21"]


def test_a_quote_in_a_tab_separated_list_is_a_character(tmp_path):
    (tmp_path / "c.tsv").write_text(
        'url\ttitle\nhttp://x/1\t"Hello" he said\nhttp://x/2\t5" pipe\nhttp://x/3\t"a, b"\n'
    )
    assert [row["title"] for row in listed(tmp_path / "c.tsv")] == ['"Hello" he said', '5" pipe', "a, b"]


def test_a_row_that_is_not_utf8_costs_itself_and_a_list_in_utf16_is_read(tmp_path):
    (tmp_path / "c.csv").write_bytes(b"url,title\nhttp://x/1,a cat\n" + "http://x/2,größe\n".encode("latin-1"))
    rows, refused = read_list(tmp_path / "c.csv")
    assert [row["title"] for row in rows] == ["a cat"]
    assert [row.why for row in refused] == ["its text is not UTF-8: save the list as UTF-8"]
    (tmp_path / "d.tsv").write_bytes("url\ttitle\nhttp://x/1\tgröße\n".encode("utf-16"))
    assert [row["title"] for row in listed(tmp_path / "d.tsv")] == ["größe"]


@pytest.mark.parametrize(
    "line", ["{", "[1]", "[" * 100_000, '{"url": 1e}', '{"url": ["http://x"]}', '{"url":"http://x"," url":"y"}']
)
def test_a_line_of_jsonl_that_is_no_row_costs_itself(tmp_path, line):
    (tmp_path / "c.jsonl").write_text(f'{{"url":"http://x/1"}}\n{line}\n{{"url":"http://x/2"}}\n')
    rows, refused = read_list(tmp_path / "c.jsonl")
    assert (len(rows), len(refused)) == (2, 1)


def test_two_columns_of_the_same_name_are_refused_at_once(tmp_path):
    (tmp_path / "c.csv").write_text("url,title,title \nhttp://x/1,a,b\n")
    with pytest.raises(UserError, match="two columns are called 'title'"):
        read_list(tmp_path / "c.csv")


def test_a_json_array_is_a_list_whatever_its_layout(tmp_path):
    rows = [
        {"url": f"http://x/{number}.mp4", "title": f'a "cat" {number}', "id": 2**53 + 1, "tags": ["a", 1.5]}
        for number in range(40_000)
    ]
    for name, text in (
        ("indented.json", json.dumps(rows[:50], indent=2)),
        ("plain.json", "\ufeff\n " + json.dumps(rows, separators=(",", ":")) + "\n"),
        ("lines.json", "".join(json.dumps(row) + "\n" for row in rows)),
    ):
        (tmp_path / name).write_text(text, encoding="utf-8")
        read = listed(tmp_path / name)
        assert [row["url"] for row in read] == [row["url"] for row in rows[: len(read)]] and len(read) in (50, 40_000)
        assert read[-1]["extra"] == {"id": "9007199254740993", "tags": '["a", 1.5]'}
    (tmp_path / "packed.json.gz").write_bytes(gzip.compress(json.dumps(rows[:3]).encode()))
    assert len(listed(tmp_path / "packed.json.gz")) == 3
    (tmp_path / "none.json").write_text(" [ ] ")
    assert listed(tmp_path / "none.json") == []


def test_an_element_of_an_array_that_is_no_row_costs_itself(tmp_path):
    first, last = '{"url": "http://x/1.mp4"}', '{"url": "http://x/3.mp4", "n": 1e400}'
    text = f'[{first}, 17, "http://x/2.mp4", {{"url": "http://x/\xff.mp4"}}, {last}, {{"a": 1}}]'
    (tmp_path / "c.json").write_bytes(text.encode("latin-1"))
    rows, refused = read_list(tmp_path / "c.json")
    assert [row["url"] for row in rows] == ["http://x/1.mp4", "http://x/3.mp4"]
    assert [row.where.rpartition(" ")[2] for row in refused] == ["2", "3", "4", "6"]
    assert "must be a JSON object, not '17'" in refused[0].why and "not UTF-8" in refused[2].why


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('[{"url": "http://x/1.mp4"}, {"url": ', "after row 1: Expecting value"),
        ('[{"url": "http://x/1.mp4"}, {"url": "http', "after row 1: Unterminated string"),
        (
            '[{"url": "http://x/1.mp4"} {"url": "http://x/2.mp4"}]',
            "after row 1: a comma or a bracket is missing before '{",
        ),
        ('[{"url": "http://x/1.mp4"}', "after row 1: a comma or a bracket is missing"),
        ('[{"url": "http://x/1.mp4"}] {"url": "b"}', "after row 1: more text after the end of the array"),
        ("[" * 100_000, "after row 0: an element nests too deeply"),
        ("[,]", "after row 0: Expecting value"),
    ],
)
def test_an_array_that_breaks_off_is_said(tmp_path, text, why):
    (tmp_path / "c.json").write_text(text)
    with pytest.raises(UserError) as error:
        read_list(tmp_path / "c.json")
    assert why in str(error.value)
