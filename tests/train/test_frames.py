"""Frames of videos: which are read, and that they are resized and cropped as CLIP's and LanguageBind's code does."""

import av
import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import transforms
from torchvision.transforms import InterpolationMode

from vidal.errors import RecordError
from vidal.train import frames, inputs


def write(path, count, size, rate=8):
    """Writes a lossless video whose frame k has the grey level 5 * k in its left half."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=rate)
        stream.width, stream.height, stream.pix_fmt = *size, "bgr0"
        for k in range(count):
            picture = np.asarray(Image.effect_noise(size, 60).convert("RGB")).copy()
            picture[:, : size[0] // 2] = 5 * k
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="bgr0")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def levels(clip):
    """The number of each frame, read off its grey level. clip: (..., 3, side, side)."""
    return (clip[..., 0, 10, 0] / 5).round().astype(int).tolist()


@pytest.mark.parametrize(("count", "chosen"), [(8, [0, 5, 11, 17, 22, 28, 34, 40]), (3, [0, 20, 40])])
def test_a_videos_frames_are_those_of_languagebinds_loader(tmp_path, count, chosen):
    path = write(tmp_path / "v.mkv", 41, (64, 48))
    assert chosen == np.linspace(0, 40, count, dtype=int).tolist()
    assert levels(frames.clip(path, count, 32)) == chosen


@pytest.mark.parametrize(
    ("total", "fps", "end_s", "last"),
    [
        (41, 8.0, None, 40),
        (41, 8.0, 3, 16),
        (20, 8.0, 31, 16),
        (5, 8.0, None, 0),
        (100, 29.97, None, 87),
        (9, 0.5, None, 8),
    ],
)
def test_an_excerpts_frames_are_those_of_languagebinds_retrieval(total, fps, end_s, last):
    """As RawVideoExtractorCV2: from the first frame to that which begins the last whole second."""
    assert frames.second_indices(total, fps, 8, end_s) == np.linspace(0, last, 8, dtype=int).tolist()


def test_an_excerpt_ends_in_time(tmp_path):
    path = write(tmp_path / "v.mkv", 41, (64, 48))
    assert levels(frames.clip(frames.Excerpt(path, 3), 4, 32)) == [0, 5, 10, 16]


def plain_views(total, count, times):
    """The loop of VideoMAE's test loader, which LanguageBind measures Kinetics with."""
    index = list(range(0, total, 8))
    while len(index) < count:
        index.append(index[-1])
    step = max((len(index) - count) / (times - 1), 0)
    return [index[int(k * step) : int(k * step) + count] for k in range(times)]


@pytest.mark.parametrize("total", [5, 41, 64, 300, 777])
def test_the_frames_of_views_are_those_of_kinetics_protocol(total):
    assert frames.view_indices(total, 8, 5) == plain_views(total, 8, 5)


def test_views_are_cropped_along_the_longer_side(tmp_path):
    import cv2

    path = write(tmp_path / "v.mkv", 12, (100, 40))
    views = frames.views(path, 2, 32, 2, 3)
    assert views.shape == (6, 2, 3, 32, 32)
    with av.open(str(path)) as container:
        whole = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    resized = [cv2.resize(picture, (80, 32), interpolation=cv2.INTER_LINEAR) for picture in whole]
    for place, start in enumerate((0, 24, 48)):
        expected = np.stack([resized[k][:, start : start + 32].transpose(2, 0, 1) for k in (0, 8)])
        assert np.array_equal(views[place], expected)


@pytest.mark.parametrize("size", [(64, 48), (333, 500), (500, 333), (227, 225), (225, 301), (224, 224), (30, 77)])
@pytest.mark.parametrize("side", [32, 224])
def test_pictures_are_resized_and_cropped_as_torchvision_does(size, side):
    """So do CLIP, open_clip, and LanguageBind for pictures and for the frames of its retrieval benchmarks."""
    picture = Image.effect_noise(size, 80).convert("RGB")
    resize = transforms.Compose(
        [transforms.Resize(side, interpolation=InterpolationMode.BICUBIC), transforms.CenterCrop(side)]
    )
    assert np.array_equal(inputs.square_array(picture, side), np.asarray(resize(picture)).transpose(2, 0, 1))


def test_a_video_is_resized_and_cropped_as_a_picture_is(tmp_path):
    path = write(tmp_path / "v.mkv", 3, (101, 47))
    with av.open(str(path)) as container:
        whole = [Image.fromarray(frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]
    expected = np.stack([inputs.square_array(picture, 32) for picture in whole])
    assert np.array_equal(frames.clip(path, 3, 32), expected)


@pytest.mark.parametrize("size", [(64, 48), (333, 500), (640, 480)])
def test_depth_is_resized_and_cropped_as_languagebind_does(tmp_path, size):
    """Its loader resizes floats of metres by torchvision. Half precision costs less than 1e-3."""
    millimetres = np.random.default_rng(0).integers(0, 14_000, size[::-1]).astype(np.uint16)
    Image.fromarray(millimetres).save(tmp_path / "d.png")
    metres = torch.from_numpy((millimetres / 1000).clip(0.01, 10) / 10).float()[None]
    resize = transforms.Compose(
        [transforms.Resize(224, interpolation=InterpolationMode.BICUBIC, antialias=True), transforms.CenterCrop(224)]
    )
    own = inputs.read_depth(tmp_path / "d.png", 224, "metric").astype(np.float32)
    assert np.abs(own - resize(metres).numpy()).max() < 1e-3


def test_the_first_channel_of_a_sound_is_read(tmp_path):
    from scipy.io import wavfile

    from vidal.train.settings import Fbank

    time = np.arange(16_000) / 16_000
    left, right = (np.sin(2 * np.pi * hertz * time) * 20_000 for hertz in (400, 3000))
    wavfile.write(tmp_path / "stereo.wav", 16_000, np.stack([left, right], 1).astype(np.int16))
    wavfile.write(tmp_path / "mono.wav", 16_000, left.astype(np.int16))
    fbank = Fbank(mel_bins=64, frames=98)
    stereo, mono = (inputs.read_sound(tmp_path / name, fbank) for name in ("stereo.wav", "mono.wav"))
    assert np.array_equal(stereo, mono)


def test_a_file_without_pictures_is_named(tmp_path):
    from scipy.io import wavfile

    wavfile.write(tmp_path / "a.wav", 16_000, np.zeros(1600, np.int16))
    with pytest.raises(RecordError, match=r"a\.wav: no pictures"):
        frames.clip(tmp_path / "a.wav", 2, 32)
