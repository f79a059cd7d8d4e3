"""Statistics of pictures and of motion: pictures and videos for which the answer is known."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image, ImageFilter

from tests.conftest import write_pictures, write_video
from tests.support.photographs import PHOTOGRAPHS
from vidal.errors import RecordError
from vidal.media.frame_pairs import middle_indices, read_frame_pairs
from vidal.media.statistics import coverage, motion, picture


def texture(height, width, seed=0):
    """Smooth blobs of 6 pixels: something for the flow to hold on to."""
    noise = np.random.default_rng(seed).integers(0, 256, (height // 6 + 1, width // 6 + 1)).astype(np.uint8)
    return cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)


def rgb(value, size=(40, 60)):
    return np.full((*size, 3), value, np.uint8)


def test_brightness_contrast_and_saturation_by_hand():
    half = rgb(0)
    half[:, 30:] = 255
    assert picture.brightness(half) == pytest.approx(0.5) and picture.contrast(half) == pytest.approx(0.5)
    assert picture.contrast(rgb(77)) == pytest.approx(0, abs=1e-6)
    assert picture.saturation(rgb(128)) == 0 and picture.saturation(rgb((255, 0, 0))) == 1
    assert picture.saturation(rgb((200, 100, 100))) == pytest.approx(0.5) and picture.saturation(rgb(0)) == 0


def test_black_frames_are_counted_and_a_night_sky_with_a_moon_is_not_black():
    moon = rgb(5)
    moon[:20, :20] = 200
    measured = picture.statistics([rgb(0), rgb(20), moon, rgb(128)])
    assert measured["black_share"] == 0.5


def test_frozen_frames_survive_jpeg_and_a_small_thing_that_moves_is_seen():
    still = np.asarray(Image.open(PHOTOGRAPHS / "coffee.png").convert("RGB").resize((384, 256)))
    moved = still.copy()
    moved[100:116, 200:216] = 255 - moved[100:116, 200:216]
    stored = [np.asarray(Image.open(io.BytesIO(jpeg(still, quality)))) for quality in (92, 85)]
    assert picture.statistics([*stored, moved, moved])["frozen_share"] == pytest.approx(2 / 3)
    assert "frozen_share" not in picture.statistics([still])


def jpeg(pixels, quality):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def test_a_blurred_picture_is_less_sharp_whatever_its_size():
    sharp = Image.open(PHOTOGRAPHS / "camera.png").convert("RGB")
    levels = [picture.sharpness(np.asarray(sharp.filter(ImageFilter.GaussianBlur(r)))) for r in (0, 2, 4, 8)]
    assert levels == sorted(levels, reverse=True) and levels[0] > 20 * levels[2]
    smaller = picture.sharpness(np.asarray(sharp.resize((256, 256), Image.Resampling.BOX)))
    assert smaller == pytest.approx(levels[0], rel=0.1)


def test_places_are_inside_the_clip():
    assert middle_indices(60, 3) == [10, 30, 50]
    assert middle_indices(2, 3) == [0, 1] and middle_indices(1, 3) == [0]


@pytest.mark.parametrize("step", [2, 5])
def test_the_motion_of_a_pan_is_its_speed(tmp_path, step):
    wide = texture(128, 192 + 36 * step)
    path = write_pictures(tmp_path / "pan.mp4", [wide[:, step * k : step * k + 192].copy() for k in range(36)])
    per_second = 12 * step / 128
    assert motion.motion_per_s(read_frame_pairs(path, 3)) == pytest.approx(per_second, rel=0.1)


def test_a_moving_square_counts_by_its_area_and_a_still_video_does_not_move(tmp_path):
    ground, square = texture(128, 192), texture(64, 64, seed=1)
    scenes = [ground.copy() for _ in range(24)]
    for k, scene in enumerate(scenes):
        scene[32:96, 20 + 4 * k : 84 + 4 * k] = square
    path = write_pictures(tmp_path / "square.mp4", scenes)
    share = 64 * 64 / (128 * 192)
    assert motion.motion_per_s(read_frame_pairs(path, 3)) == pytest.approx(share * 4 * 12 / 128, rel=0.25)
    still = write_pictures(tmp_path / "still.mp4", [ground] * 24)
    assert motion.motion_per_s(read_frame_pairs(still, 3)) < 0.005


def test_noise_on_a_flat_wall_is_no_motion():
    rng = np.random.default_rng(0)
    before, after = (np.clip(100 + rng.normal(0, 2, (128, 192)), 0, 255).astype(np.uint8) for _ in range(2))
    assert motion.flow_px(before, after) < 0.1


def test_doubled_pictures_move_as_fast_as_single_ones(tmp_path):
    wide = texture(128, 400)
    single = [wide[:, 4 * k : 4 * k + 192].copy() for k in range(24)]
    speeds = [
        motion.motion_per_s(read_frame_pairs(write_pictures(tmp_path / f"{fps}.mp4", grays, fps=fps), 3))
        for fps, grays in ((12, single), (24, [gray for gray in single for _ in range(2)]))
    ]
    assert speeds[0] == pytest.approx(speeds[1], rel=0.05) and speeds[0] > 0.3


def test_the_walk_to_a_place_is_bounded_where_key_frames_are_rare(tmp_path):
    """600 pictures with one key frame, picture k a gray of level k // 3: places 100, 300 and 500 are not walked to."""
    grays = [np.full((48, 64), k // 3, np.uint8) for k in range(600)]
    one_key = read_frame_pairs(write_pictures(tmp_path / "one.mp4", grays, gop=600), 3)
    many_keys = read_frame_pairs(write_pictures(tmp_path / "many.mp4", grays, gop=30), 3)
    assert [round(float(pair.before.mean()) * 3 / 10) for pair in many_keys] == [10, 30, 50]
    assert len(one_key) == 3 and one_key[-1].before.mean() * 3 < 3 * 50 + 6


def test_one_picture_gives_no_pair_and_a_broken_file_is_corrupt(tmp_path):
    assert read_frame_pairs(write_video(tmp_path / "one.mp4", frames=1), 3) == []
    (tmp_path / "bad.mp4").write_bytes(b"no video" * 100)
    with pytest.raises(RecordError, match="corrupt"):
        read_frame_pairs(tmp_path / "bad.mp4", 3)


def test_real_and_awkward_videos_give_pairs_or_a_reason(shared):
    outcomes = {}
    for path in sorted((shared / "videos_edge").iterdir()):
        if path.suffix in (".mp4", ".mov", ".mkv", ".ogg", ".avi", ".webm"):
            try:
                outcomes[path.name] = (
                    motion.motion_per_s(read_frame_pairs(path, 3)) if read_frame_pairs(path, 3) else None
                )
            except RecordError as error:
                outcomes[path.name] = error.reason
    assert len(outcomes) >= 10 and sum(isinstance(value, float) for value in outcomes.values()) >= 8
    assert all(value >= 0 for value in outcomes.values() if isinstance(value, float))


def test_what_boxes_cover_counts_once():
    box = np.array([[0, 0], [49, 0], [49, 49], [0, 49]], np.float32)
    assert coverage.covered_share(np.stack([box, box]), 100, 100) == pytest.approx(0.25)
    assert coverage.covered_share(np.zeros((0, 4, 2), np.float32), 100, 100) == 0
