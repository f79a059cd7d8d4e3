"""The readers, on small files in the layouts of the official ones, and on the official ones where they are present."""

import bz2
import gzip
import itertools
import json
import lzma
import os
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from vidal import resources
from vidal.config import Corpus
from vidal.errors import UserError
from vidal.terms.corpora import names_things, texts
from vidal.terms.labels import normalise
from vidal.terms.readers import READERS
from vidal.terms.readers.actions import alternatives


def read(path: Path | str, reader: str, **settings) -> list[str]:
    return list(texts(Corpus(source="mine", path=str(path), reader=reader, **settings)))


OFFICIAL = [
    (
        "youtube8m",
        "vocabulary.csv",
        "Index,TrainVideoCount,KnowledgeGraphId,Name,WikiUrl,Vertical1,Vertical2,Vertical3,WikiDescription\n"
        '0,788288,/m/03bt1gh,Game,https://en.wikipedia.org/wiki/Game,Games,,,"A game is play,\nusually for fun."\n'
        '1,539945,/m/01mw1,"Nike, Inc.",,Shopping,,,\n2,12,/m/0xxx,,,(Unknown),,,\n',
        ["Game", "Nike, Inc."],
    ),
    (
        "youtube8m",
        "label_names_2018.csv",
        "label_id,label_name\n0,Game\n3,Ring (jewellery)\n",
        ["Game", "Ring (jewellery)"],
    ),
    ("youtube8m", "label_map.txt", "Game\n???\nC# (language)\n", ["Game", "C# (language)"]),
    (
        "msrvtt",
        "train_val_videodatainfo.json",
        '{"info": {}, "videos": [{"caption": "no"}], "sentences": [{"caption": "a car", "sen_id": 1},'
        ' {"caption": "a car", "sen_id": 2}]}',
        ["a car", "a car"],
    ),
    ("msrvtt", "jsfusion.csv", "key,vid_key,video_id,sentence\nret0,msr9,video9,a man sings\n", ["a man sings"]),
    (
        "coco_captions",
        "captions_val2017.json",
        '{"info": {"year": 2017}, "images": [], "annotations": [{"image_id": 1, "id": 2, "caption": "A dog.\\n"},'
        ' {"image_id": 1, "id": 3, "caption": null}, {"image_id": 1, "id": 4, "caption": "Un caf\\u00e9"}]}',
        ["A dog.", "Un café"],
    ),
    (
        "coco_instances",
        "instances_val2017.json",
        '{"annotations": [{"segmentation": [[1.5, 2]]}], "categories": [{"supercategory": "person", "id": 1, "name":'
        ' "person"}, {"id": 2, "name": "fire hydrant"}]}',
        ["person", "fire hydrant"],
    ),
    (
        "ava",
        "ava_action_list_v2.1.pbtxt",
        'label {\n  name: "bend/bow (at the waist)"\n  label_id: 1\n  label_type: PERSON_MOVEMENT\n}\n'
        'label {\n  name: "hit (an object)"\n  label_id: 34\n}\nlabel {\n  name: "fight/hit (a person)"\n}\n',
        ["bend", "bow", "hit", "fight"],
    ),
    ("ava", "ava_2018.pbtxt", "item {\n  name: 'row boat'\n  id: 3\n}\n", ["row boat"]),
    ("ava", "ava.txt", "1: bend/bow (at the waist)\n80: watch (a person)\n", ["bend", "bow", "watch"]),
    (
        "hmdb51",
        "hmdb51.txt",
        "brush_hair\nhmdb51_org/climb_stairs/\ndive.rar\n",
        ["brush_hair", "climb_stairs", "dive"],
    ),
    ("ucf101", "classInd.txt", "1 ApplyEyeMakeup\n101 YoYo\n", ["Apply Eye Makeup", "Yo Yo"]),
    ("ucf101", "ucf101.txt", "ApplyEyeMakeup\r\nHandstandPushups\r\n", ["Apply Eye Makeup", "Handstand Pushups"]),
    ("imagenet", "words.txt", "n00001740\tentity\nn01440764\ttench, Tinca tinca\n", ["entity", "tench", "Tinca tinca"]),
    ("imagenet", "LOC_synset_mapping.txt", "n01440764 tench, Tinca tinca\n", ["tench", "Tinca tinca"]),
    ("imagenet", "simple.json", '["tench",\n"great white shark"]', ["tench", "great white shark"]),
    (
        "imagenet",
        "imagenet_class_index.json",
        '{"0": ["n01440764", "tench"], "1": ["n01443537", "goldfish"]}',
        ["tench", "goldfish"],
    ),
    ("howto100m", "task_ids.csv", '103832\tGrow a Beard\n9\tBe "Cool"\n', ["Grow a Beard", 'Be "Cool"']),
    (
        "howto100m",
        "HowTo100M_v1.csv",
        "video_id,category_1,category_2,rank,task_id\na,Cars & Other Vehicles,Motorcycles,27,52907\n"
        "b,Cars & Other Vehicles,Motorcycles,35,109057\nc,Food and Entertaining,Drinks,6,25938\nd,Sports,,1,2\n",
        ["Motorcycles", "Drinks"],
    ),
    (
        "kinetics",
        "train.csv",
        "label,youtube_id,time_start,time_end,split\nzumba,a,0,10,train\nabseiling,b,0,10,train\nzumba,c,0,10,train\n",
        ["zumba", "abseiling"],
    ),
    ("kinetics", "k400.txt", "abseiling\npetting animal (not cat)\n", ["abseiling", "petting animal (not cat)"]),
    (
        "audioset",
        "ontology.json",
        '[{"id": "/m/0dgw9r", "name": "Human sounds", "child_ids": ["/m/09x0r"], "restrictions": ["abstract"]},'
        ' {"id": "/m/09x0r", "name": "Speech", "positive_examples": ["a.b/c"], "restrictions": []},'
        ' {"id": "/m/01j2bj", "name": "Tinnitus", "restrictions": ["blacklist"]}]',
        ["Speech"],
    ),
    (
        "audioset",
        "class_labels_indices.csv",
        'index,mid,display_name\n0,/m/09x0r,"Speech"\n1,/m/05zppz,"Male speech, man speaking"\n',
        ["Speech", "Male speech, man speaking"],
    ),
    (
        "vggsound",
        "stat.csv",
        '"bird chirping, tweeting",1050,animals\nair horn,197\n',
        ["bird chirping, tweeting", "air horn"],
    ),
    (
        "vggsound",
        "vggsound.csv",
        '---g-f_I2yQ,1,people marching,test\na,10,"dog barking, yip",train\nb,2,people marching,train\n',
        ["people marching", "dog barking, yip"],
    ),
    (
        "esc50",
        "esc50.csv",
        "filename,fold,target,category,esc10,src_file,take\n1-1.wav,1,0,dog,True,1,A\n1-2.wav,1,0,dog,True,2,A\n"
        "1-3.wav,1,11,sea_waves,True,3,A\n",
        ["dog", "sea_waves"],
    ),
    ("esc50", "classes.csv", 'index,mid,display_name\n0,/m/07rwj00,"dog"\n', ["dog"]),
    (
        "audiocaps",
        "train.csv",
        'audiocap_id,youtube_id,start_time,caption\n9,vf,130,"Ducks quack, water splashes"\n10,vg,1,\n11,vh,2\n',
        ["Ducks quack, water splashes"],
    ),
    (
        "clotho",
        "clotho.csv",
        "file_name,caption_1,caption_2,caption_3,caption_4,caption_5\na.wav,one,two,three,four,five\nb.wav,six\n",
        ["one", "two", "three", "four", "five", "six"],
    ),
    (
        "wavcaps",
        "sb_final.json",
        '{"num_captions_per_audio": 1, "data": [{"title": "x", "caption": "An airplane is landing.", "duration": 14.1}]}',
        ["An airplane is landing."],
    ),
    ("activitynet", "anet.csv", "action\nArm wrestling\nBMX\n", ["Arm wrestling", "BMX"]),
    (
        "activitynet",
        "activity_net.v1-3.min.json",
        '{"database": {"x": {"annotations": [{"label": "Archery"}]}}, "taxonomy": ['
        '{"parentName": null, "nodeName": "Root", "nodeId": 0, "parentId": null},'
        '{"parentName": "Root", "nodeName": "Archery", "nodeId": 270, "parentId": 0}], "version": "1.3"}',
        ["Archery"],
    ),
    ("moments", "moments_categories.txt", "clapping,0\nplaying+music,1\n", ["clapping", "playing music"]),
    ("moments", "moments.txt", "clapping\nadult+male+singing\n", ["clapping", "adult male singing"]),
    (
        "sthv2",
        "labels.json",
        '{"Pretending to put [something] on [something]": "0", "Ends. Well": "1"}',
        ["Pretending to put something on something", "Ends. Well"],
    ),
    ("sthv2", "sthv2.txt", "Holding [something]\nFolding something\n", ["Holding something", "Folding something"]),
    ("text", "mine.txt", "# a list\nfire_hydrant  # red\n\n  stop sign\n", ["fire_hydrant", "stop sign"]),
]


@pytest.mark.parametrize(("reader", "name", "content", "expected"), OFFICIAL, ids=[f"{r}-{n}" for r, n, *_ in OFFICIAL])
def test_official_layouts(tmp_path, reader, name, content, expected):
    (tmp_path / name).write_text(content, encoding="utf-8")
    assert read(tmp_path / name, reader) == expected


def test_every_reader_has_a_layout_under_test():
    assert {reader for reader, *_ in OFFICIAL} == set(READERS) - {"csv", "tsv", "jsonl", "parquet"}


@pytest.mark.parametrize(
    ("label", "names"),
    [
        ("bend/bow (at the waist)", ["bend", "bow"]),
        ("give/serve (an object) to (a person)", ["give", "serve"]),
        ("take (an object) from (a person)", ["take"]),
        ("sing to (e.g., self, a person, a group)", ["sing"]),
        ("text on/look at a cellphone", ["text", "look at a cellphone"]),
        ("lift/pick up", ["lift", "pick up"]),
    ],
)
def test_ava_alternatives_are_names_of_their_own(label, names):
    assert alternatives(label) == names


def test_only_readers_of_nouns_name_things():
    assert {reader for reader in READERS if names_things(Corpus(source="x", path="x", reader=reader))} == {
        "coco_instances",
        "imagenet",
        "youtube8m",
    }


def test_imagenet_keeps_a_subset_and_joins_synonyms(tmp_path):
    lemmas, kept = tmp_path / "words.txt", tmp_path / "kept.txt"
    lemmas.write_text("n00000001\tone\nn01440764\ttench, Tinca tinca\nn01443537\tgoldfish, Carassius auratus\n")
    kept.write_text("# ids\nn01440764\nn01443537 goldfish\n")
    assert read(lemmas, "imagenet", subset=str(kept)) == ["tench", "Tinca tinca", "goldfish", "Carassius auratus"]
    assert read(lemmas, "imagenet", subset=str(kept), synonyms="joined") == [
        "tench, Tinca tinca",
        "goldfish, Carassius auratus",
    ]
    index = tmp_path / "index.json"
    index.write_text('{"0": ["n00000001", "one"], "1": ["n01440764", "tench"]}')
    assert read(index, "imagenet", subset=str(kept)) == ["tench"]


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


BAD = [
    ("text", "absent.txt", None, "no such file; give a path, a URI or a file of search_terms/"),
    ("csv", "a.csv", b"caption\nx\n", "needs column"),
    ("audiocaps", "a.csv", b"id,title\n1,x\n", "no column caption; its columns are: id, title"),
    ("audiocaps", "a.csv", b"", "no column caption; its columns are: none"),
    ("audiocaps", "a.csv", b'caption\nx\n"never closed\n', "line 3: unexpected end of data"),
    ("audiocaps", "a.csv", "caption\nx".encode("utf-16"), "binary or UTF-16"),
    ("audiocaps", "a.csv.gz", b"caption\nx\n", "Not a gzipped file"),
    ("audiocaps", "a.csv.zst", b"caption\nx\n", "ZSTD decompress failed"),
    ("audiocaps", "a.csv.xz", b"caption\nx\n", "damaged or of another format"),
    ("coco_captions", "a.json", b"caption\nx\n", "not JSON"),
    ("coco_captions", "a.json", b'{"annotations": [{"caption": "x"}, ', "not JSON: parse error: premature EOF"),
    ("coco_captions", "a.json", b'{"sentences": [{"caption": "x"}]}', "holds no such texts"),
    ("coco_captions", "a.json", b"[" * 1_000_000, "nested over 100 deep"),
    ("imagenet", "a.json", b'{"images": [{"file_name": "x"}]}', "holds no such texts"),
    ("imagenet", "a.txt", b"n01440764\nn01443537\n", "holds no such texts"),
    ("sthv2", "a.json", b'{"info": {"year": 2017}, "images": []}', "holds no such texts"),
    ("vggsound", "a.csv", b"label,count\nx,1\n", "neither of stat.csv nor of vggsound.csv: label,count"),
    ("kinetics", "a.json", b'{"x": 1}', "a .json file is no list"),
    ("text", "a.csv", b"caption\nx\n", "a .csv file is no list"),
    ("text", "a.txt", b"# nothing\n", "holds no such texts"),
    ("text", "a.txt", b"x" * 2**24 + b"x\n", "a line has over 16,777,216 characters"),
    ("text", "nowhere://a.txt", None, "cannot be opened: Protocol not known: nowhere"),
    ("text", "memory://absent.txt", None, "no such file"),
]


@pytest.mark.parametrize(("reader", "name", "content", "words"), BAD)
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
    with pytest.raises(UserError, match=r"no column caption; its columns are: text"):
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
    with pytest.raises(UserError, match="subset needs synset ids"):
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


SHARED = [
    ("activitynet200.csv", "activitynet", 200),
    ("audiocaps_val.csv", "audiocaps", 2475),
    ("audioset_class_labels_indices.csv", "audioset", 527),
    # 632 nodes, of which 89 are restricted.
    ("audioset_ontology.json", "audioset", 543),
    # 60 classes, their alternatives apart.
    ("ava_v2.1_60_trained_ids.txt", "ava", 66),
    ("clotho_val.csv", "clotho", 5 * 1045),
    ("coco_captions_val2017.json", "coco_captions", 25_014),
    ("esc50_classes.csv", "esc50", 50),
    ("hmdb51.txt", "hmdb51", 51),
    ("imagenet_simple_labels.json", "imagenet", 1000),
    ("imagenet_synset_to_lemma.txt", "imagenet", 40_744),
    ("kinetics400.txt", "kinetics", 400),
    ("kinetics600.txt", "kinetics", 600),
    ("kinetics700.txt", "kinetics", 700),
    ("moments_in_time.txt", "moments", 339),
    ("msrvtt_jsfusion_test1k.csv", "msrvtt", 1000),
    ("msrvtt_val_fold_1.csv", "msrvtt", 2250),
    ("sthv2.txt", "sthv2", 174),
    ("ucf101.txt", "ucf101", 101),
    ("vggsound_stat_classes.csv", "vggsound", 309),
    ("wavcaps_soundbible.json", "wavcaps", 1232),
    # 3,862 classes, of which 56 have no name.
    ("youtube8m_label_map.txt", "youtube8m", 3806),
]


@pytest.mark.parametrize(("name", "reader", "count"), SHARED, ids=[name for name, *_ in SHARED])
def test_official_files_have_their_known_counts(shared, name, reader, count):
    found = read(shared / "labels" / name, reader)
    assert len(found) == count and all(text == text.strip() != "" for text in found)


def test_the_official_rows_behind_the_counts(shared):
    labels = shared / "labels"
    assert len(read(labels / "ava_v2.1_60_trained_ids.txt", "text")) == 60
    assert len(read(labels / "youtube8m_label_map.txt", "text")) == 3862


@pytest.mark.parametrize(("ids", "synsets"), [("imagenet_synsets.txt", 1000), ("imagenet22k_synsets.txt", 21_841)])
def test_imagenet_subsets_have_their_known_counts(shared, ids, synsets):
    labels = shared / "labels"
    found = read(labels / "imagenet_synset_to_lemma.txt", "imagenet", subset=str(labels / ids), synonyms="joined")
    assert len(found) == synsets


@pytest.mark.parametrize(
    ("name", "reader", "count"),
    [
        ("activitynet200.txt", "activitynet", 200),
        ("audioset527.txt", "audioset", 527),
        ("ava60.txt", "ava", 66),
        ("coco80.txt", "coco_instances", 80),
        ("esc50.txt", "esc50", 50),
        ("hmdb51.txt", "hmdb51", 51),
        ("kinetics700.txt", "kinetics", 700),
        ("moments339.txt", "moments", 339),
        ("ucf101.txt", "ucf101", 101),
        ("vggsound309.txt", "vggsound", 309),
        ("youtube8m3862.txt", "youtube8m", 3806),
    ],
)
def test_shipped_lists_read_the_same_by_their_reader_and_as_text(name, reader, count):
    shipped = resources.folder("search_terms") / name
    found = read(name, reader)
    assert found == read(shipped, "text") and len(set(found)) == count
    assert found == [normalise(term) for term in found]
