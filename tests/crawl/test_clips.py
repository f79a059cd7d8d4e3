"""Long videos become clips at their cuts."""

import av
import numpy as np
import pandas as pd
import pytest
from scipy.io import wavfile
from skimage import data

from tests.support.listed import listed
from vidal.config.loading import load_recipe
from vidal.crawl.crawler import Crawler
from vidal.crawl.settings import Clips
from vidal.errors import RecordError
from vidal.media import shots
from vidal.media.frames import read_frames
from vidal.media.settings import Decoding
from vidal.models.shots import DETECTORS
from vidal.pipeline.stage import Drop, Runtime
from vidal.schema import Reason
from vidal.storage.storage import Storage

FPS = 12
PICTURES = ("astronaut", "chelsea", "coffee", "rocket")


def film(path, seconds):
    """Slow pans over photographs, one for each of the seconds; gives the times of the cuts between them."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"crf": "20", "g": "48"})
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        for name, length in zip(PICTURES, seconds, strict=False):
            picture = np.asarray(getattr(data, name)())
            for index in range(round(length * FPS)):
                window = np.ascontiguousarray(picture[40 : 40 + 240, index : index + 320])
                frame = av.VideoFrame.from_ndarray(window, format="rgb24").reformat(160, 120)
                for packet in stream.encode(frame):
                    container.mux(packet)
        for packet in stream.encode(None):
            container.mux(packet)
    return list(np.cumsum(seconds)[:-1])


@pytest.mark.parametrize(
    ("cuts", "duration", "wanted"),
    [
        ([], 10, [(0, 10)]),
        ([4.0], 10, [(0, 4), (4, 6)]),
        ([], 50, [(0, 50 / 3), (50 / 3, 50 / 3), (100 / 3, 50 / 3)]),
        ([0.5, 30.0], 30.2, [(0.5, 14.75), (15.25, 14.75)]),
        ([40.0], 40.0, [(0, 20), (20, 20)]),
    ],
)
def test_spans_are_shots_of_a_bounded_length(cuts, duration, wanted):
    spans = shots.split_at_cuts(cuts, duration, max_s=20, min_s=1)
    np.testing.assert_allclose(spans, wanted)


@pytest.mark.parametrize("detector", sorted(DETECTORS))
def test_hard_cuts_are_found_to_the_frame(tmp_path, detector):
    truth = film(tmp_path / "film.mp4", (3, 4, 2.5, 3.5))
    times, pictures = shots.read_thumbnails(tmp_path / "film.mp4", Decoding().limits())
    cuts_s = shots.cut_times(times, DETECTORS[detector](None).find_shot_starts(pictures))
    np.testing.assert_allclose(cuts_s, np.array(truth) - 0.5 / FPS, atol=1e-3)


def crawled(tmp_path, serve_folder, seconds, *overrides, sound_s=None):
    site = tmp_path / "site"
    site.mkdir()
    if sound_s:
        wavfile.write(site / "tone.wav", 8000, (np.sin(np.arange(8000 * sound_s) / 5) * 9000).astype(np.int16))
    else:
        film(site / "film.mp4", seconds)
    rows = [{"url": f"{serve_folder(site)}/{'tone.wav' if sound_s else 'film.mp4'}", "title": "Four pictures"}]
    pd.DataFrame(rows).to_csv(tmp_path / "c.csv", index=False)
    recipe = load_recipe("embedded", overrides)
    out = str(tmp_path / "out")
    (candidate,) = listed(tmp_path / "c.csv")
    return Crawler(recipe, Runtime(out, "run", ("127.0.0.1",)), Storage(out))({**candidate, "shard": 0}), Storage(out)


CUT = ("clips.detector=content", "clips.max_s=10", "clips.min_s=1")


def test_a_long_video_becomes_a_clip_for_each_shot_without_a_frame_of_its_neighbours(tmp_path, serve_folder):
    result, storage = crawled(tmp_path, serve_folder, (6, 7, 5), *CUT)
    assert [round(row["duration_s"], 1) for row in result.rows] == [6.0, 7.0, 5.0]
    assert [row["cuts"] for row in result.rows] == [0, 0, 0] and "3 pieces at 2 cuts" in result.detail
    assert len({row["clip_id"] for row in result.rows}) == 3
    whole = [read_frames(tmp_path / "site/film.mp4", 18 * FPS, "linspace", 120)[1]][0]
    for row, (first, last) in zip(result.rows, ((0, 71), (72, 155), (156, 215)), strict=True):
        _, ends = read_frames(storage.path(row["media_path"]), 2, "linspace", 120)
        for end, true in zip(ends, (whole[first], whole[last]), strict=True):
            assert np.abs(np.asarray(end, float) - np.asarray(true, float)).mean() < 6


def test_a_short_video_stays_whole_and_its_cuts_are_counted(tmp_path, serve_folder):
    result, _ = crawled(tmp_path, serve_folder, (3, 3, 3), *CUT)
    assert [(row["cuts"], round(row["duration_s"])) for row in result.rows] == [(2, 9)]


def test_without_a_detector_a_long_video_is_too_long(tmp_path, serve_folder):
    result, _ = crawled(tmp_path, serve_folder, (8, 8, 8))
    assert isinstance(result, Drop) and result.reason.value == "too_long"


def test_a_video_beyond_the_limit_of_the_source_is_too_long(tmp_path, serve_folder):
    result, _ = crawled(tmp_path, serve_folder, (6, 7, 5), *CUT, "clips.source_max_s=15")
    assert isinstance(result, Drop) and result.reason.value == "too_long"


def test_a_long_sound_is_too_long_because_it_is_not_cut(tmp_path, serve_folder):
    result, _ = crawled(tmp_path, serve_folder, (), *CUT, sound_s=25)
    assert isinstance(result, Drop) and result.reason.value == "too_long"


def test_a_piece_that_fails_costs_itself_alone(tmp_path, serve_folder, monkeypatch):
    from vidal.media import transcode

    real = transcode.to_mp4

    def fails_in_the_middle(source, target, properties, limits, span=None, *, seeks=True):
        if span and 5 < span[0] < 8:
            raise RecordError(Reason.CORRUPT, "a bad piece")
        real(source, target, properties, limits, span, seeks=seeks)

    monkeypatch.setattr(transcode, "to_mp4", fails_in_the_middle)
    result, _ = crawled(tmp_path, serve_folder, (6, 7, 5), *CUT)
    assert len(result.rows) == 2 and "1 failed" in result.detail


def test_lengths_that_contradict_each_other_are_refused():
    with pytest.raises(ValueError, match="min_s must be less than max_s"):
        Clips(min_s=20, max_s=20)
