"""Readers turn the official files of a corpus into texts. READERS is the registry."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from vidal.terms.readers import actions, captions, own, sounds, things
from vidal.terms.readers.imagenet import imagenet
from vidal.terms.settings import Corpus


@dataclass(frozen=True)
class Reader:
    """A reader of one kind of corpus. read: yields the texts. expects: a description of the files, for error messages.

    names_things: whether each text is the name of a thing. A name of a few words, such as "fire hydrant", is then one keyword.
    """

    read: Callable[[Corpus], Iterator[str]]
    expects: str
    names_things: bool = False


READERS: dict[str, Reader] = {
    "activitynet": Reader(
        actions.activitynet,
        "activity_net.v1-3.min.json with taxonomy[].nodeName, a .csv with the column action, or a .txt list",
    ),
    "audiocaps": Reader(captions.audiocaps, "a CSV with the column caption"),
    "audioset": Reader(
        sounds.audioset,
        "ontology.json, class_labels_indices.csv with the column display_name, or a .txt list",
    ),
    "ava": Reader(actions.ava, 'a .pbtxt with name: "..." lines, or a list with lines such as 1: bend/bow'),
    "clotho": Reader(captions.clotho, "a CSV with the columns caption_1 to caption_5"),
    "coco_captions": Reader(captions.coco_captions, "a JSON file with annotations[].caption"),
    "coco_instances": Reader(
        things.coco_instances, "a .json file with categories[].name, or a .txt list", names_things=True
    ),
    "csv": Reader(own.csv, "a CSV with a header that has the column"),
    "esc50": Reader(sounds.esc50, "a .csv with the column category or display_name, or a .txt list"),
    "hmdb51": Reader(actions.hmdb51, "a list with one class per line"),
    "howto100m": Reader(
        actions.howto100m,
        "task_ids.csv (task id, tab, task name), or HowTo100M_v1.csv with the column category_2",
    ),
    "imagenet": Reader(
        imagenet,
        "a text file with lines such as n01440764 tench, Tinca tinca, or a .json list or map of names",
        names_things=True,
    ),
    "jsonl": Reader(own.jsonl, "one JSON object per line, with the column as a key"),
    "kinetics": Reader(actions.kinetics, "a .csv with the column label, or a .txt list"),
    "moments": Reader(actions.moments, "a list with one class per line"),
    "msrvtt": Reader(captions.msrvtt, "a .json file with sentences[].caption, or a .csv with the column sentence"),
    "parquet": Reader(own.parquet, "a Parquet file, a folder of .parquet files or a glob, with texts in the column"),
    "sthv2": Reader(actions.sthv2, 'labels.json ({"Holding something": "0"}), or a .txt list'),
    "text": Reader(own.text, "one term per line"),
    "tsv": Reader(own.tsv, "a TSV with a header that has the column"),
    "ucf101": Reader(actions.ucf101, "classInd.txt, or a list with one class per line"),
    "vggsound": Reader(sounds.vggsound, "a .csv (ytid,start,label,split or label,count), or a .txt list"),
    "wavcaps": Reader(captions.wavcaps, "a JSON file with data[].caption"),
    "youtube8m": Reader(
        things.youtube8m,
        "a .csv with the column Name (vocabulary.csv) or label_name, or a .txt list",
        names_things=True,
    ),
}
