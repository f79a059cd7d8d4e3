"""The official lists, where they are present, and those that ship give as many names as they are known to."""

import pytest

from tests.support.corpora import read
from vidal.config import packaged_files
from vidal.terms.labels import normalise

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
    shipped = packaged_files.folder("search_terms") / name
    found = read(name, reader)
    assert found == read(shipped, "text") and len(set(found)) == count
    assert found == [normalise(term) for term in found]
