"""Frames of real files: they have the right times, are upright, and equal what ffmpeg decodes."""

import numpy as np
import pytest

from benchmarks import frames_table
from tests.conftest import write_video
from tests.support import clips
from vidal.config.loading import load_recipe
from vidal.media.frames import read_frames, scene_indices

REFUSED = {"decord__corrupted.mp4": "corrupt"}
# Its packets are a frame apart only on average (variable rate): the nearest frame is up to 0.86 mean frames away.
VARIABLE_RATE = {"moviepy__fire2.mp4", "sample-videos__brother.mkv"}


@pytest.mark.parametrize(("folder", "count"), [pytest.param("videos", 32, marks=pytest.mark.slow), ("videos_edge", 15)])
def test_every_shared_file_is_processed_right_or_refused_with_a_reason(shared, folder, count):
    rows = list(frames_table.rows(shared / folder))
    assert len(rows) == count
    refused = {row.name: row.outcome.split(":")[0] for row in rows if row.outcome != "ok"}
    assert refused == {name: reason for name, reason in REFUSED.items() if folder == "videos_edge"}
    processed = [row for row in rows if row.outcome == "ok"]
    assert {row.name: row.late_frames for row in processed if row.late_frames > 0.5}.keys() <= VARIABLE_RATE
    assert {row.name: row.psnr_db for row in processed if row.psnr_db < 40} == {}


def test_the_scene_policy_takes_every_shot_and_no_frame_on_a_cut():
    assert scene_indices(100, 4, [50]) == [12, 37, 62, 87]
    assert scene_indices(100, 4, [10, 20, 30, 40]) == [
        5,
        15,
        25,
        70,
    ]  # The longest of five shots; of equal ones, the first.
    assert scene_indices(100, 3, [90]) == [22, 67, 95]
    assert scene_indices(2, 4, []) == [0, 0, 1, 1]


def test_the_scene_policy_sees_the_shots_of_a_film(tmp_path):
    path = write_video(tmp_path / "v.mp4", frames=24)
    times_s, images = read_frames(path, 2, "scene", 48, [12])
    assert times_s == [0.5, 1.5]
    assert [round(float(np.asarray(image).mean()) / 8) for image in images] == [6, 18]


@pytest.mark.parametrize("ending", ["jpg", "png", "webp"])
def test_frames_are_stored_in_the_format_of_the_recipe(tmp_path, ending):
    out = str(tmp_path / "out")
    (tmp_path / "out").mkdir()
    write_video(tmp_path / "out" / "v.mp4")
    clips.seed(out, [clips.crawled("clip", media_path="v.mp4")])
    clips.run(out, load_recipe("embedded", (f"keyframes.format={ending}", "keyframes.times=scene")), "keyframes")
    (row,) = clips.rows(out, "keyframes")
    assert len(row["frame_paths"]) == 8 and all(name.endswith(ending) for name in row["frame_paths"])
    magic = {"jpg": b"\xff\xd8", "png": b"\x89P", "webp": b"RI"}[ending]
    assert (tmp_path / "out" / row["frame_paths"][0]).read_bytes()[:2] == magic
