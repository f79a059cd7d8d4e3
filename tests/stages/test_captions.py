"""The captions of a clip that are not a model's: its title, and the texts that came with the user's list."""

import json

from vidal.config.loading import load_recipe
from vidal.pipeline.stage import Runtime
from vidal.schema import Status, View
from vidal.stages.captions.stage import STAGE
from vidal.storage.storage import Storage


def captions_of(tmp_path, title, views):
    recipe = load_recipe("embedded", ("captions.keyframe=null", "captions.video=null"))
    worker = STAGE.open(recipe, Runtime(out=str(tmp_path), run_id="x"), Storage(str(tmp_path)))
    clip = {"clip_id": "a", "title": title, "hashtags": [], "frame_paths": [], "frame_sha256": [],
            "extra": [("vidal_views", json.dumps(views))]}  # fmt: skip
    output = worker(clip)
    outcome = next(each for each in output.views if each.view == View.TITLE)
    return [each["text"] for each in output.rows[0]["captions"]], outcome


def test_the_titles_of_a_list_are_kept_with_and_without_a_title_of_the_clip(tmp_path):
    texts, outcome = captions_of(tmp_path, "a cat", {"title": ["a grey cat"]})
    assert texts == ["a cat", "a grey cat"] and outcome.status is Status.KEPT
    texts, outcome = captions_of(tmp_path, "", {"title": ["a grey cat"]})
    assert texts == ["a grey cat"] and outcome.status is Status.KEPT
    texts, outcome = captions_of(tmp_path, "", {})
    assert texts == [] and outcome.reason.value == "no_title"
