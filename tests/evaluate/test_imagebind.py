"""ImageBind's weights in our networks: by the names and shapes that its code publishes, and beside its own module if it is installed.

The weights here are random and small. Those of ImageBind are not distributed with vidal, nor is its code, whose licence is not ours.
"""

import logging

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from tests.support import benchmark_layouts as layouts
from tests.support import tiny_peers
from vidal.errors import UserError
from vidal.evaluate.encoders import open_encoder
from vidal.evaluate.peers import imagebind
from vidal.evaluate.peers.imagebind_reader import ImageBindReader, clip_starts_s
from vidal.evaluate.peers.imagebind_tower import MediaNetwork, TextNetwork
from vidal.train import frames
from vidal.train.weights import check

KINDS = ("vision", "audio", "depth", "thermal")
TEXTS = ["a photo of a dog", "Rain falls on a tin roof!"]
# Made by ImageBind's module from the weights of tiny_peers.imagebind_state(full_size=True) and the arrays of `inputs`.
ORIGINAL = {
    "vision": [[0.0439434, -0.0209496, 0.0563649, -0.0771503], [0.0433915, -0.0226527, 0.0520487, -0.0620718]],
    "audio": [[-0.1374684, -0.2642314, -0.0770471, 0.0803399], [-0.1383776, -0.2507536, -0.075607, 0.0682126]],
    "depth": [[-0.1663591, 0.1302894, 0.2097707, 0.0831863], [-0.1840875, 0.1146683, 0.1819895, 0.1145934]],
    "thermal": [[0.0966838, 0.2248221, -0.0135034, 0.1583278], [0.0873634, 0.2279847, -0.0173543, 0.1762865]],
    "text": [[-0.0705726, -0.1036274, 0.091187, 0.1599482], [-0.1660763, -0.0811514, 0.076536, -0.0057989]],
}


def inputs():
    """Arrays of two items of each modality, in the shapes of ImageBind's loaders for one clip."""
    random = np.random.default_rng(5)
    shapes = {
        "vision": (2, 3, 2, 224, 224),
        "audio": (2, 1, 128, 204),
        "depth": (2, 1, 224, 224),
        "thermal": (2, 1, 224, 224),
    }
    arrays = {kind: random.standard_normal(shape).astype(np.float32) for kind, shape in shapes.items()}
    tokens = np.zeros((2, 77), np.int64)
    tokens[0, :4], tokens[1, :6] = (49406, 320, 1929, 49407), (49406, 3133, 518, 320, 9, 49407)
    return {kind: torch.from_numpy(array) for kind, array in {**arrays, "text": tokens}.items()}


def networks(state):
    parts = imagebind.split(state, "here")
    made = {kind: MediaNetwork(kind, {name: value.shape for name, value in parts[kind].items()}) for kind in KINDS}
    made["text"] = TextNetwork({name: value.shape for name, value in parts["text"].items()})
    for kind, network in made.items():
        network.load_state_dict(parts[kind])
        network.eval()
    return made


@torch.inference_mode()
def vectors(network, array):
    return F.normalize(network(array), dim=-1).numpy()


def test_the_published_weights_fill_our_networks_and_none_is_left_over():
    with torch.device("meta"):
        published = {name: torch.empty(shape) for name, shape in tiny_peers.imagebind_shapes().items()}
        parts = imagebind.split(published, "imagebind_huge.pth")
        for kind in KINDS:
            network = MediaNetwork(kind, {name: value.shape for name, value in parts[kind].items()})
            check(network, parts[kind], "imagebind_huge.pth")
            assert network.side == (0 if kind == "audio" else 224)
        check(
            TextNetwork({name: value.shape for name, value in parts["text"].items()}),
            parts["text"],
            "imagebind_huge.pth",
        )
    counted = sum(value.numel() for value in published.values())
    assert 1.19e9 < counted < 1.21e9  # The authors speak of 1.2 billion.


@pytest.mark.parametrize("kind", [*KINDS, "text"])
def test_a_network_gives_the_vectors_that_imagebinds_module_gave(kind):
    network = networks(tiny_peers.imagebind_state(full_size=True))[kind]
    np.testing.assert_allclose(vectors(network, inputs()[kind])[:, :4], ORIGINAL[kind], atol=1e-5)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda state: state.pop("modality_trunks.audio.blocks.1.attn.bias_k"), "missing weights: audio: trunk.blocks.1.attn.bias_k"),
        (lambda state: state.pop("modality_heads.depth.2.weight"), "lacks the weight head.2.weight of ImageBind's depth network"),
        (lambda state: state.update({"modality_trunks.vision.gate": torch.zeros(1)}), "unknown weights: vision: trunk.gate"),
        (lambda state: state.update({"module.extra": torch.zeros(1)}), "holds weights that ImageBind does not have: module.extra"),
        (
            lambda state: state.update({"modality_trunks.thermal.blocks.0.norm_1.weight": torch.zeros(9)}),
            "weights of another shape: thermal: trunk.blocks.0.norm_1.weight",
        ),
        (
            lambda state: [state.pop(name) for name in list(state) if ".text." in name],
            "lacks ImageBind's weights for text",
        ),
    ],
)  # fmt: skip
def test_weights_that_do_not_fit_are_named(change, said, tmp_path):
    state = tiny_peers.imagebind_state()
    change(state)
    torch.save(state, tmp_path / "a.pth")
    with pytest.raises(UserError, match=said):
        open_encoder(f"imagebind:{tmp_path / 'a.pth'}")


def test_another_file_is_refused_and_a_file_that_runs_code_too(tmp_path):
    (tmp_path / "a.pth").write_bytes(b"no weights")
    with pytest.raises(UserError, match="cannot be read as PyTorch weights"):
        open_encoder(f"imagebind:{tmp_path / 'a.pth'}")
    torch.save([1, 2], tmp_path / "b.pth")
    with pytest.raises(UserError, match="something other than ImageBind's weights"):
        open_encoder(f"imagebind:{tmp_path / 'b.pth'}")


def test_every_modality_is_encoded_and_the_licence_is_said(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        encoder = open_encoder(f"imagebind:{tiny_peers.save_imagebind(tmp_path / 'a.pth')}")
    assert "CC BY-NC-SA 4.0" in caplog.text
    film, wave = layouts.film(tmp_path / "a.mp4", 3), layouts.wav(tmp_path / "b.wav", 1)
    picture = layouts.jpeg(tmp_path / "c.jpg", 1)
    metres = np.linspace(1, 8, 64 * 48, dtype=np.float32).reshape(48, 64)
    made = [
        encoder.encode_text(TEXTS)[0],
        encoder.encode_image([picture])[0],
        encoder.encode_infrared([picture])[0],
        encoder.encode_depth(metres),
        encoder.encode_audio([wave])[0],
        encoder.encode_video([film])[0],
        encoder.encode_video_views([film], 5, 3)[0, 14],
    ]
    assert all(vector.shape == (32,) and np.isclose(np.linalg.norm(vector), 1, atol=1e-5) for vector in made)
    with pytest.raises(UserError, match="3 crops of each excerpt, not 4 and 3"):
        encoder.encode_video_views([film], 4, 3)
    with pytest.raises(UserError, match="the kind of this depth is relative"):
        encoder.encode_depth(metres / 10, "relative")


READER = ImageBindReader({"vision": 28, "thermal": 32, "depth": 32})


def test_clips_are_spread_from_the_beginning_to_the_end():
    assert clip_starts_s(10.0, 3) == [0, 4, 8]
    assert clip_starts_s(1.5, 5) == [0] * 5
    assert READER.choose_frames(100, 10.0, None) == [0, 19, 20, 39, 40, 59, 60, 79, 80, 99]
    assert READER.choose_frames(1, 25.0, None) == [0] * 10
    assert READER.choose_frames(1000, 10.0, frames.Excerpt("a.mp4", 2)) == [0, 19] * 5


def test_a_short_sound_is_followed_by_zeros_before_the_normalisation():
    made = READER.sound(layouts.tone(0)[:8000].astype(np.float32) / 32768)
    assert made.shape == (3, 1, 128, 204)
    np.testing.assert_allclose(made[..., 60:], 4.268 / 9.138, atol=1e-6)
    assert made[..., :40].std() > 0.1
    np.testing.assert_array_equal(made[0], made[2])


def test_depth_is_disparity_and_thermal_one_channel():
    flat = np.full((40, 50), 2000, np.float32)  # Millimetres.
    expected = (0.075 * 518.857901 / 16 / 75 - 0.0418) / 0.0295
    np.testing.assert_allclose(READER.depth(flat, "metric"), np.full((1, 32, 32), expected), atol=1e-5)
    thermal = READER.infrared(Image.new("RGB", (50, 40), (51, 51, 51)))
    np.testing.assert_allclose(thermal, np.full((1, 32, 32), 0.2), atol=1e-6)


def original(state):
    module = pytest.importorskip("imagebind.models.imagebind_model", reason="ImageBind's own code is not installed")
    sizes = {
        "vision": (32, 16),
        "text": (32, 16),
        "audio": (24, 12),
        "depth": (16, 8),
        "thermal": (24, 12),
        "imu": (16, 8),
    }
    named = {}
    for kind, (width, heads) in sizes.items():
        named |= {f"{kind}_embed_dim": width, f"{kind}_num_blocks": 2, f"{kind}_num_heads": heads}
    model = module.ImageBindModel(out_embed_dim=32, **named).eval()
    model.load_state_dict(state)
    return model


@pytest.mark.parametrize("kind", [*KINDS, "text"])
def test_networks_equal_imagebinds_module(kind):
    state = tiny_peers.imagebind_state(full_size=True)
    model, array = original(state), inputs()[kind]
    with torch.inference_mode():
        given = array[:, None] if kind == "vision" else array  # Its module averages over the clips of a video.
        expected = F.normalize(model({kind: given})[kind], dim=-1).numpy()
    np.testing.assert_allclose(vectors(networks(state)[kind], array), expected, atol=1e-5)


def test_media_equal_imagebinds_module_and_its_loaders(tmp_path, monkeypatch):
    state = tiny_peers.imagebind_state(full_size=True)
    model, data = original(state), pytest.importorskip("imagebind.data")
    monkeypatch.setattr(data.torchaudio, "load", read_wave)  # torchaudio needs a codec package to open a file.
    torch.save(state, tmp_path / "a.pth")
    encoder = open_encoder(f"imagebind:{tmp_path / 'a.pth'}")
    pictures = [layouts.jpeg(tmp_path / "wide.jpg", 1, (300, 230)), layouts.jpeg(tmp_path / "high.jpg", 2, (250, 400))]
    waves = [layouts.wav(tmp_path / "a.wav", 1), long_wave(tmp_path / "b.wav")]
    film = layouts.film(tmp_path / "a.mp4", 3)
    loaded = {
        "vision": data.load_and_transform_vision_data([str(each) for each in pictures], "cpu"),
        "text": data.load_and_transform_text(TEXTS, "cpu"),
    }
    with torch.inference_mode():
        expected = {kind: F.normalize(value, dim=-1).numpy() for kind, value in model(loaded).items()}
        heard = [model({"audio": data.load_and_transform_audio_data([str(each)], "cpu")})["audio"] for each in waves]
        seen = model({"vision": data.load_and_transform_video_data([str(film)], "cpu")})["vision"]
    np.testing.assert_allclose(encoder.encode_image(pictures), expected["vision"], atol=1e-4)
    np.testing.assert_allclose(encoder.encode_text(TEXTS), expected["text"], atol=1e-5)
    np.testing.assert_allclose(encoder.encode_audio(waves), F.normalize(torch.cat(heard), dim=-1).numpy(), atol=1e-4)
    np.testing.assert_allclose(encoder.encode_video([film]), F.normalize(seen, dim=-1).numpy(), atol=1e-4)


def read_wave(path):
    from scipy.io import wavfile

    rate, samples = wavfile.read(path)
    return torch.from_numpy(samples.astype(np.float32) / 32768)[None], rate


def long_wave(path):
    from scipy.io import wavfile

    wavfile.write(path, 16_000, np.concatenate([layouts.tone(k) for k in (1, 2, 3)])[: 16_000 * 5 + 123])
    return path
