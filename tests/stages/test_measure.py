"""The stage measure over real files."""

import cv2
import numpy as np
import pytest
from PIL import Image

from tests.conftest import write_pictures
from tests.support.photographs import PHOTOGRAPHS
from vidal import schema
from vidal.config.loading import load_recipe
from vidal.pipeline.parts import commit_part
from vidal.pipeline.runner import PartRunner
from vidal.pipeline.stage import Part, Runtime
from vidal.scores import MEANINGS, MEASURES, SIMILARITIES
from vidal.stages.order import STAGES
from vidal.storage import layout
from vidal.storage.storage import Storage


def test_every_measure_says_what_it_means_and_no_name_is_used_twice():
    assert all(MEASURES.values()) and not MEASURES.keys() & SIMILARITIES.keys()


CRAWLED = {
    "shard": 0, "platform": "test", "retrieved_at": None, "search_terms": [], "hashtags": ["kitchen"], "language": None,
    "start_s": 0.0, "fps": 12.0, "has_audio": False, "extra": [],
}  # fmt: skip


@pytest.fixture
def dataset(tmp_path):
    """Three crawled clips: a pan over a cup of coffee, one whose page names a language, and a sound."""
    storage = Storage(str(tmp_path / "out"))
    coffee = cv2.cvtColor(np.asarray(Image.open(PHOTOGRAPHS / "coffee.png").convert("RGB")), cv2.COLOR_RGB2GRAY)
    write_pictures(tmp_path / "video.mp4", [coffee[72:328, 4 * k : 4 * k + 384].copy() for k in range(48)])
    rows = []
    for name, language, kind in (("c0", None, "video"), ("c1", "fr", "video"), ("c2", None, "audio")):
        media = layout.media(0, name, "video.mp4" if kind == "video" else "sound.ogg")
        storage.write(media, (tmp_path / "video.mp4").read_bytes())
        text = "A cup of coffee on the table" if kind == "video" else "123"
        rows.append(
            {**CRAWLED, "clip_id": name, "candidate_id": name, "kind": kind, "language": language, "title": text,
             "text": text, "duration_s": 4.0, "media_path": media, "media_sha256": name,
             **({"width": 384, "height": 256} if kind == "video" else {})}
        )  # fmt: skip
    commit_part(storage, layout.part("crawl", 0, 0), rows, [], schema.CRAWL, {})
    return storage


OVERRIDES = ("captions.keyframe=null", "captions.video=null", "enhanced.model=null", "filters.similarity_min=-1")


def run_stages(storage, names, *overrides):
    recipe = load_recipe("embedded", (*OVERRIDES, *overrides))
    runtime = Runtime(out=storage.uri, run_id="test")
    for name in names:
        PartRunner(STAGES[name], recipe, runtime).run(Part(0, 0))
    table = storage.read_table(layout.part_table(names[-1], 0, 0)).to_pylist()
    return {row["clip_id"]: row for row in table}


def test_the_stage_measures_videos_and_says_what_a_sound_lacks(dataset):
    rows = run_stages(dataset, ["keyframes", "measure"])
    measures = dict(rows["c0"]["measures"])
    assert set(measures) == set(MEASURES) - {"text_share", "aesthetic"}
    assert (measures["short_side_px"], measures["aspect_ratio"], measures["fps"], measures["duration_s"]) == (
        256,
        1.5,
        12,
        4,
    )
    assert measures["motion_per_s"] == pytest.approx(4 * 12 / 256, rel=0.2)
    assert measures["black_share"] == measures["frozen_share"] == measures["saturation"] == 0
    assert rows["c0"]["language"] == "en" and "py3langid" in dict(rows["c0"]["measured"])["language_confidence"]
    assert "open-nsfw" in dict(rows["c0"]["measured"])["nsfw"]
    assert rows["c1"]["language"] == "fr" and "language_confidence" not in dict(rows["c1"]["measures"])
    assert dict(rows["c2"]["measures"]) == {"duration_s": 4.0} and rows["c2"]["language"] is None
    absent = dict(rows["c2"]["measured"])
    assert absent["motion_per_s"] == "absent: no frames" and absent["language_confidence"] == "absent: no words"


def test_what_fails_costs_one_measure_alone(dataset):
    run_stages(dataset, ["keyframes"])
    dataset.write(layout.media(0, "c0", "video.mp4"), b"no video any more")
    rows = run_stages(dataset, ["measure"])
    broken, whole = dict(rows["c0"]["measures"]), dict(rows["c1"]["measures"])
    assert dict(rows["c0"]["measured"])["motion_per_s"].startswith("failed: corrupt")
    assert whole.keys() - broken.keys() == {"motion_per_s"}


def test_a_text_detector_that_raises_costs_the_text_alone(dataset, monkeypatch):
    rapidocr_onnxruntime = pytest.importorskip("rapidocr_onnxruntime", reason="the package needs Python < 3.13")

    def fails(self, pixels):
        raise cv2.error("a picture that it cannot take")

    monkeypatch.setattr(rapidocr_onnxruntime.RapidOCR, "__call__", fails)
    text = "measure.text={model: {adapter: rapidocr}, frames: 2}"
    row = run_stages(dataset, ["keyframes", "measure"], text)["c0"]
    assert dict(row["measured"])["text_share"] == "failed: the text detector failed: a picture that it cannot take"
    assert dict(row["measures"]).keys() >= {"brightness", "motion_per_s", "nsfw"}
    monkeypatch.undo()
    again = run_stages(dataset, ["keyframes", "measure"], text, "measure.blur=false")["c0"]
    assert dict(again["measures"])["text_share"] == 0 and "PP-OCRv4" in dict(again["measured"])["text_share"]


def test_switched_off_measures_are_neither_taken_nor_missed(dataset):
    off = [f"measure.{name}={value}" for name, value in
           {"pictures": "false", "blur": "false", "motion": "false", "nsfw": "null", "language": "null"}.items()]  # fmt: skip
    row = run_stages(dataset, ["keyframes", "measure"], *off)["c0"]
    assert {name for name, _ in row["measures"]} == {"short_side_px", "aspect_ratio", "fps", "duration_s"}
    assert row["measured"] == [] and row["language"] is None
    sure = run_stages(dataset, ["keyframes", "measure"], "measure.language.confidence_min=1")["c0"]
    assert sure["language"] is None and 0 < dict(sure["measures"])["language_confidence"] < 1


def test_the_manifest_has_the_language_and_all_scores(dataset):
    names = [name for name in STAGES if name != "crawl"]
    rows = run_stages(dataset, names)
    assert (rows["c0"]["language"], rows["c1"]["language"], rows["c2"]["language"]) == ("en", "fr", None)
    scores = dict(rows["c0"]["scores"])
    wanted = {
        "brightness",
        "motion_per_s",
        "similarity_max",
        "similarity_min",
        "similarity_title",
        "similarity_hashtags",
    }
    assert wanted <= set(scores)
    assert set(scores) <= MEANINGS.keys()
    similar = run_stages(dataset, ["similarity"])
    assert np.linalg.norm(similar["c0"]["embedding"]) == pytest.approx(1, abs=1e-3) and similar["c2"]["embedding"] == []


def test_the_same_files_give_the_same_bytes(dataset):
    name = layout.part_table("measure", 0, 0)
    run_stages(dataset, ["keyframes", "measure"])
    first = dataset.metadata(name)["content"]
    dataset.remove(name)
    run_stages(dataset, ["measure"])
    assert dataset.metadata(name)["content"] == first


def test_measure_shares_the_worker_of_keyframes_in_every_recipe():
    from vidal.pipeline.executors.pools import pools

    for recipe in ("embedded", "catalogue", "vidal10m", "modern"):
        grouped = [[stage.name for stage in pool.stages] for pool in pools(list(STAGES.values()), load_recipe(recipe))]
        assert ["keyframes", "measure"] in grouped
