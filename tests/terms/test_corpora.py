"""The readers, on small files in the layouts of the official ones."""

import pytest

from tests.support.corpora import read
from vidal.terms.corpora import names_things
from vidal.terms.readers import READERS
from vidal.terms.readers.actions import alternatives
from vidal.terms.settings import Corpus

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
