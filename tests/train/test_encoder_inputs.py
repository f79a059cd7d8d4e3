"""What an encoder takes: paths, PIL pictures, arrays and tensors, one or several. The same picture gives the same vector."""

import av
import numpy as np
import pytest
import torch
from PIL import Image
from scipy.io import wavfile

from tests.support.tiny_models import save_clip
from vidal.train.encoder import BoundEncoder
from vidal.train.opening import open_tower
from vidal.train.settings import Encoder, Modality

WIDTH = 12


class Text:
    name, identity, width = "constant", "constant", WIDTH

    def encode(self, texts):
        return torch.ones(len(texts), WIDTH) / WIDTH**0.5


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    model = {"adapter": "clip", "id": save_clip(tmp_path_factory.mktemp("clip"), WIDTH)}
    one = Encoder.model_validate(
        {"model": model, "side": 32, "frames": 2, "tuning": "frozen", "fbank": {"mel_bins": 16, "frames": 64}}
    )
    towers = {modality: open_tower(modality, one, WIDTH) for modality in Modality}
    return BoundEncoder(towers, dict.fromkeys(Modality, one), Text, torch.device("cpu"))


@pytest.fixture
def picture(tmp_path):
    image = Image.effect_noise((50, 40), 80).convert("RGB")
    image.save(tmp_path / "p.png")
    return tmp_path / "p.png", image


def test_a_picture_is_the_same_in_every_form(encoder, picture):
    path, image = picture
    array = np.asarray(image)
    tensor = torch.from_numpy(array.copy()).permute(2, 0, 1)
    expected = encoder.encode_image([path])
    for item in (path, str(path), image, array, tensor, tensor.float() / 255):
        assert encoder.encode_image(item).shape == (WIDTH,)
        assert np.allclose(encoder.encode_image(item), expected[0], atol=1e-6)
        assert np.allclose(encoder.encode_infrared([item, item]), encoder.encode_infrared([path, path]), atol=1e-6)
    assert np.allclose(encoder.encode_image(np.stack([array, array])), np.repeat(expected, 2, 0), atol=1e-6)
    assert np.allclose(encoder.encode_image(tensor[None]), expected, atol=1e-6)
    grey = image.convert("L")
    assert np.allclose(encoder.encode_image(np.asarray(grey)), encoder.encode_image(grey), atol=1e-6)


def test_depth_is_the_same_in_every_form(encoder, tmp_path):
    stored = np.linspace(500, 9000, 40 * 50).reshape(40, 50).astype(np.uint16)
    Image.fromarray(stored).save(tmp_path / "d.png")
    expected = encoder.encode_depth(tmp_path / "d.png")
    metres = stored.astype(np.float32) / 1000
    for item in (stored, Image.fromarray(stored), metres, torch.from_numpy(metres), torch.from_numpy(metres)[None]):
        assert np.allclose(encoder.encode_depth(item), expected, atol=1e-5)
    relative = encoder.encode_depth(tmp_path / "d.png", "relative")
    assert np.allclose(encoder.encode_depth(stored.astype(np.float32) / 65535, "relative"), relative, atol=1e-5)
    assert not np.allclose(relative, expected, atol=1e-3)


def test_a_video_is_the_same_in_every_form(encoder, tmp_path):
    frames = [np.asarray(Image.effect_noise((50, 40), 40 + 60 * k).convert("RGB")) for k in range(2)]
    with av.open(str(tmp_path / "v.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=4)
        stream.width, stream.height, stream.pix_fmt = 50, 40, "bgr0"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24").reformat(format="bgr0")))
        container.mux(stream.encode(None))
    expected = encoder.encode_video(tmp_path / "v.mkv")
    array = np.stack(frames)
    tensor = torch.from_numpy(array).permute(0, 3, 1, 2)
    for item in (array, tensor, tensor.float() / 255):
        assert np.allclose(encoder.encode_video(item), expected, atol=1e-6)
        assert np.allclose(encoder.encode_video([item]), expected[None], atol=1e-6)
    assert np.allclose(encoder.encode_video([[Image.fromarray(each) for each in frames]]), expected[None], atol=1e-6)


def test_a_sound_is_the_same_in_every_form(encoder, tmp_path):
    samples = (np.sin(np.arange(16_000) / 7) * 12_000).astype(np.int16)
    wavfile.write(tmp_path / "a.wav", 16_000, samples)
    expected = encoder.encode_audio(tmp_path / "a.wav")
    floats = samples.astype(np.float32) / 32768
    for item in (
        samples,
        samples.astype(np.int32) << 16,
        floats,
        torch.from_numpy(floats),
        np.stack([floats, floats * 0]),
    ):
        assert np.allclose(encoder.encode_audio([item]), expected[None], atol=1e-5)
    assert np.allclose(encoder.encode_audio(floats), expected, atol=1e-5)
    faster = encoder.encode_audio(np.sin(np.arange(48_000) / 21).astype(np.float32) * 0.366, sample_rate=48_000)
    assert (faster * expected).sum() > 0.99


@pytest.mark.parametrize(
    ("method", "item"),
    [
        ("encode_image", 3),
        ("encode_image", [None]),
        ("encode_image", [np.zeros((4, 4, 7), np.uint8)]),
        ("encode_image", [np.zeros((4, 4, 3), np.float32)]),
        ("encode_depth", [{"depth": 1}]),
        ("encode_depth", [np.zeros((4, 4), np.uint8)]),
        ("encode_depth", [Image.new("L", (4, 4))]),
        ("encode_video", [np.zeros((2, 4, 4), np.uint8)]),
        ("encode_video", [7]),
        ("encode_audio", [np.zeros((2, 2, 2), np.float32)]),
        ("encode_audio", np.zeros(8000, np.uint8)),
        ("encode_audio", np.zeros(8000, np.int64)),
        ("encode_audio", object()),
        ("encode_text", [b"bytes"]),
    ],
)
def test_a_wrong_type_is_named_with_what_is_taken(encoder, method, item):
    with pytest.raises(TypeError, match=rf"{method}: .*an item must be a"):
        getattr(encoder, method)(item)


def test_options_of_a_call(encoder, picture):
    expected = encoder.encode_image([picture[0]] * 3)
    assert np.allclose(encoder.encode_image([picture[0]] * 3, batch_size=2, device="cpu"), expected, atol=1e-6)
    half = encoder.encode_image(picture[0], dtype="bfloat16")
    assert (
        half.dtype == np.float32 and np.allclose(half, expected[0], atol=0.05) and not np.array_equal(half, expected[0])
    )
    with pytest.raises(TypeError, match="choose from float32"):
        encoder.encode_image(picture[0], dtype="int8")
    assert encoder.encode_text("one").shape == (WIDTH,) and encoder.encode_text(["one"]).shape == (1, WIDTH)
    assert encoder.encode_image([]).shape == (0, WIDTH)
