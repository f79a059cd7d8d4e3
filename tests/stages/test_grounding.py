"""Texts against the frames they speak of, and against each other."""

import pandas as pd
import pytest

from vidal.config.loading import load_recipe
from vidal.pipeline.stage import Runtime
from vidal.schema import View
from vidal.stages.captions.stage import caption_of
from vidal.stages.grounding.contradictions import claims, contradict, mark
from vidal.stages.grounding.stage import STAGE
from vidal.storage.storage import Storage

TAGGER = "en_core_web_sm"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Two dogs on a beach", "a video of three dogs"),
        ("A red car in the rain", "A blue car on a road"),
        ("One big brown dog", "two dogs"),
        ("A street at night", "a street by day"),
        ("A kitchen without people", "people in a kitchen"),
        ("An indoor pool", "an outdoor pool"),
    ],
)
def test_what_cannot_both_be_true_contradicts(first, second):
    assert contradict(claims(first, TAGGER), claims(second, TAGGER))
    assert contradict(claims(second, TAGGER), claims(first, TAGGER))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Two dogs on a beach", "a photo of a dog"),
        ("A red car beside a blue van", "a van and a car"),
        ("A red car", "a red and white car"),
        ("A street at night", "a street"),
        ("Three cups and two plates", "two plates"),
        ("A man and a woman", "a woman"),
        ("A grey cat", "a gray cat"),
    ],
)
def test_what_can_both_be_true_does_not(first, second):
    assert not contradict(claims(first, TAGGER), claims(second, TAGGER))


def test_both_captions_are_flagged_and_frames_are_not_compared_with_each_other():
    def said(view, text):
        return {"view": view, "text": text, "flags": []}

    captions = [
        said("title", "Two dogs play"),
        said("video", "a video of three dogs"),
        said("keyframe", "three dogs"),
        said("keyframe", "one dog"),
    ]
    mark(captions, TAGGER)
    assert [each["flags"] for each in captions] == [
        ["contradicts:keyframe", "contradicts:video"],
        ["contradicts:keyframe", "contradicts:title"],
        ["contradicts:title"],
        ["contradicts:title", "contradicts:video"],
    ]


def test_texts_of_a_built_shard_are_held_against_their_frames(embedded):
    """A frame's caption lies nearer to its clip than captions of other clips do."""
    rows = pd.read_parquet(embedded)
    seen = [
        c for captions in rows[rows.kind == "video"].captions for c in captions if c["text"] and c["view"] != "sound"
    ]
    assert all(c["similarity"] is not None and -1 <= c["similarity"] <= 1 for c in seen)
    means = {view: sum(c["similarity"] for c in seen if c["view"] == view) / sum(c["view"] == view for c in seen)
             for view in ("title", "keyframe", "video", "enhanced")}  # fmt: skip
    assert min(means.values()) > 0.1
    # Nothing in this shard holds speech, and nothing else is said of sounds.
    assert not [c for captions in rows.captions for c in captions if c["view"] == "sound"]


def test_what_is_said_of_a_sound_is_held_against_no_frame_and_contradicts_nothing(tmp_path):
    out = str(tmp_path)
    ground = STAGE.open(load_recipe("embedded"), Runtime(out, "run"), Storage(out))
    said = [caption_of(View.TITLE, "Two silent dogs"), caption_of(View.SOUND, "the sound of speech")]
    clip = {
        "clip_id": "a",
        "captions": said[:1],
        "enhanced": [],
        "sound": said[1:],
        "frame_embeddings": [[1.0] + [0.0] * 383],
    }
    title, sound = ground(clip).rows[0]["captions"]
    assert isinstance(title["similarity"], float) and not title["flags"]
    assert sound["similarity"] is None and not sound["flags"]
