"""Probing, sampling, re-encoding and sound, on real files."""

import numpy as np
import pytest

from tests.conftest import write_video
from tests.support.players import with_aspect
from vidal.errors import RecordError
from vidal.media import ffmpeg, sound, transcode
from vidal.media.display import short_side_size
from vidal.media.frames import read_frames, sample_indices
from vidal.media.probe import probe
from vidal.media.settings import Decoding

MAX = 10**9
LIMITS = Decoding().limits()


def test_sampling_policies():
    assert sample_indices(80, 8, "linspace") == [0, 11, 23, 34, 45, 56, 68, 79]
    assert sample_indices(80, 8, "paper") == [0, 10, 20, 30, 40, 50, 60, 70]  # The last frame is never taken.
    assert sample_indices(3, 8, "linspace")[0] == 0 and max(sample_indices(3, 8, "linspace")) == 2
    assert max(sample_indices(5, 8, "paper")) <= 4


@pytest.mark.parametrize("gop", [1, 6, 48])
def test_the_frames_are_those_of_their_times(tmp_path, gop):
    path = write_video(tmp_path / "v.mp4", frames=30, fps=10, gop=gop)
    times_s, images = read_frames(path, 8, "linspace", 256)
    assert times_s == pytest.approx([round(x) / 10 for x in np.linspace(0, 29, 8)], abs=1e-4)
    levels = [np.asarray(image).mean() / 8 for image in images]
    assert levels == pytest.approx([10 * time for time in times_s], abs=0.4)


def test_frames_are_upright_and_keep_their_aspect(tmp_path):
    write_video(tmp_path / "v.mp4", size=(64, 32))
    turned = tmp_path / "turned.mp4"
    _rotate(tmp_path / "v.mp4", turned)
    properties = probe(turned, max_pixels=MAX)
    assert (properties.width, properties.height) == (32, 64)
    assert read_frames(turned, 2, "linspace", 256)[1][0].size == (32, 64)
    assert short_side_size(1920, 1080, 256) == (455, 256)
    assert short_side_size(100, 50, 256) == (100, 50)


def _rotate(source, target):
    import subprocess

    command = [ffmpeg.executable(), "-v", "error", "-display_rotation", "90", "-i", source, "-c", "copy", "-y", target]
    subprocess.run(command, check=True)


def test_rotated_files_show_the_same_scene_upright(shared):
    """The clip exists in four rotations: an upright frame must be nearer to the unrotated one than when it is turned."""
    folder = shared / "videos_edge"
    upright = {}
    for angle in (0, 90, 180, 270):
        image = read_frames(folder / f"decord__video_{angle}.mov", 1, "linspace", 256)[1][0]
        assert (image.width > image.height) == (angle in (0, 180))
        upright[angle] = image.convert("L").resize((64, 64))
    same = np.asarray(upright[0], float)
    for angle in (180,):
        own = np.asarray(upright[angle], float)
        assert np.abs(own - same).mean() < np.abs(own[::-1, ::-1] - same).mean()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty_file"),
        (b"<html><body>log in</body></html>", "not_media"),
        (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", "not_media"),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", "not_media"),
        (bytes(range(256)) * 40, "not_media"),
    ],
)
def test_a_file_that_is_not_media_is_refused(tmp_path, content, reason):
    path = tmp_path / "media.mp4"
    path.write_bytes(content)
    with pytest.raises(RecordError) as failed:
        probe(path, max_pixels=MAX)
    assert failed.value.reason.value == reason
    assert str(tmp_path) not in failed.value.detail


def test_a_truncated_file_and_one_with_too_many_pixels_are_refused(tmp_path):
    whole = write_video(tmp_path / "v.mp4", frames=240)
    fast = tmp_path / "fast.mp4"
    transcode.to_mp4(whole, fast, probe(whole, max_pixels=MAX), LIMITS)
    half = tmp_path / "half.mp4"
    half.write_bytes(fast.read_bytes()[: fast.stat().st_size // 2])
    with pytest.raises(RecordError) as failed:
        probe(half, max_pixels=MAX)
    assert failed.value.reason.value in ("truncated", "corrupt")
    with pytest.raises(RecordError, match="too_many_pixels"):
        probe(whole, max_pixels=1000)


@pytest.mark.parametrize(
    ("width", "height", "reason"),
    [
        (1100, 1, "too_many_pixels"),
        (2147483647, 1, "too_many_pixels"),
        (101, 1, "corrupt"),
        (1, 1100, "corrupt"),
        (1, 2147483647, "corrupt"),
    ],
)
def test_an_absurd_pixel_aspect_is_refused(tmp_path, width, height, reason):
    path = with_aspect(tmp_path / "aspect.mp4", write_video(tmp_path / "v.mp4"), width, height)
    with pytest.raises(RecordError) as failed:
        probe(path, max_pixels=10**6)
    assert failed.value.reason.value == reason


# FFmpeg reads signed 32-bit numbers, and takes a negative one for a missing one.
@pytest.mark.parametrize(
    ("width", "height", "shown"),
    [(4, 3, 85), (1, 2, 32), (2147483648, 1, 64), (1, 2147483648, 64), (4294967295, 4294967295, 64)],
)
def test_a_pixel_aspect_alters_the_size_that_is_shown(tmp_path, width, height, shown):
    path = with_aspect(tmp_path / "aspect.mp4", write_video(tmp_path / "v.mp4"), width, height)
    properties = probe(path, max_pixels=10**6)
    assert (properties.width, properties.height) == (shown, 48)


SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>'


@pytest.mark.parametrize("name", ["a.svg", "a.mp4"])
@pytest.mark.parametrize("start", [b"", b'<?xml version="1.0"?>\n'])
def test_a_drawing_is_refused(tmp_path, name, start):
    path = tmp_path / name
    path.write_bytes(start + SVG)
    with pytest.raises(RecordError, match="not_media"):
        probe(path, max_pixels=MAX)


def test_still_pictures_are_refused(tmp_path):
    from PIL import Image

    for kind in ("png", "jpeg", "webp", "gif", "bmp", "tiff"):
        path = tmp_path / f"still.{kind}"
        Image.new("RGB", (64, 48)).save(path)
        with pytest.raises(RecordError, match="still_picture"):
            probe(path, max_pixels=MAX)


def test_an_error_of_pyav_is_an_outcome_and_a_bug_of_ours_is_not(tmp_path, monkeypatch):
    """Bytes of a valid file are altered at random, so that the container states nonsense."""
    whole = write_video(tmp_path / "v.mp4", frames=12).read_bytes()
    numbers, path = np.random.default_rng(0), tmp_path / "altered.mp4"
    index_at = whole.index(b"moov")
    outcomes = set()
    for _ in range(200):
        data = bytearray(whole)
        for at in numbers.integers(index_at, len(data), 12):
            data[at] = numbers.integers(256)
        path.write_bytes(data)
        try:
            probe(path, max_pixels=10**6)
        except RecordError as error:
            outcomes.add(error.reason.value)
    assert outcomes >= {"corrupt", "not_media"}
    path.write_bytes(whole)
    monkeypatch.setattr("vidal.media.probe.displayed_size", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        probe(path, max_pixels=10**6)


def test_containers_of_all_kinds_are_media(tmp_path):
    import subprocess

    for name in (
        "a.mkv",
        "a.webm",
        "a.avi",
        "a.flv",
        "a.ts",
        "a.mpg",
        "a.mov",
        "a.ogv",
        "a.wmv",
        "a.3gp",
        "a.mxf",
        "a.nut",
    ):
        command = [
            ffmpeg.executable(),
            "-v",
            "error",
            "-f",
            "lavfi",
            "-i",
            "testsrc2=d=1:s=352x288:r=25",
            tmp_path / name,
        ]
        subprocess.run(command, check=True)
        assert probe(tmp_path / name, max_pixels=MAX).kind == "video"
    for name in (
        "a.wav",
        "a.mp3",
        "a.flac",
        "a.ogg",
        "a.opus",
        "a.aac",
        "a.aiff",
        "a.wma",
        "a.m4a",
        "a.ac3",
        "a.caf",
        "a.au",
        "a.wv",
    ):
        command = [ffmpeg.executable(), "-v", "error", "-f", "lavfi", "-i", "sine=d=1", tmp_path / name]
        subprocess.run(command, check=True)
        assert probe(tmp_path / name, max_pixels=MAX).kind == "audio"


def test_re_encoding_gives_the_same_bytes_twice(tmp_path):
    source = write_video(tmp_path / "v.mp4")
    for name in ("a.mp4", "b.mp4"):
        transcode.to_mp4(source, tmp_path / name, probe(source, max_pixels=MAX), LIMITS, (0.5, 1.0))
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_flac_is_lossless_and_levels_are_right(tmp_path):
    samples = (np.sin(np.arange(16_000) / 16_000 * 440 * 2 * np.pi) * 32767).astype(np.int16)
    sound.write_flac(samples, 16_000, tmp_path / "a.flac")
    assert np.array_equal(sound.read_mono(tmp_path / "a.flac", 16_000), samples)
    assert sound.rms_db(samples) == pytest.approx(-3.01, abs=0.02)
    assert sound.rms_db(np.zeros(100, np.int16)) == sound.FLOOR_DB
