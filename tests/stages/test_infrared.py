"""Infrared: the published checkpoint's layout, styles and ranges, and what is said of the pictures' quality."""

import pickle

import numpy as np
import pytest
import torch
from PIL import Image

from tests.support import clips
from tests.support.tiny_models import SMALL_MUNIT, save_munit
from vidal.config.base import ModelSpec
from vidal.config.loading import load_recipe
from vidal.errors import UserError
from vidal.models.infrared import load, load_states
from vidal.models.munit import Generator
from vidal.models.registry import INFRARED, open_model
from vidal.stages.infrared import quality as infrared_quality
from vidal.stages.infrared.stage import to_uint8
from vidal.storage.storage import Storage


@pytest.fixture
def pictures():
    rng = np.random.default_rng(0)
    return [Image.fromarray(rng.integers(0, 255, (48, 64, 3), np.uint8)) for _ in range(3)]


def test_pictures_of_one_seed_have_one_style(tmp_path, pictures):
    translator = open_model(INFRARED, save_munit(tmp_path / "gen.pt"))
    twice = translator.translate([pictures[0], pictures[0], pictures[1]], [7, 7, 7])
    assert twice[0].shape == (48, 64)
    np.testing.assert_array_equal(twice[0], twice[1])  # The same picture cannot flicker.
    other = translator.translate([pictures[0], pictures[0]], [7, 8])
    np.testing.assert_array_equal(other[0], twice[0])
    assert not np.array_equal(other[1], twice[0])


def test_rgb_is_encoded_by_b_and_thermal_decoded_by_a_as_the_published_weights_are(tmp_path, pictures):
    """tir2rgb: a is thermal, b is RGB; thermal_ddp.py and sRGB-TIR's own inference run it with --a2b 0."""
    spec = save_munit(tmp_path / "gen.pt", input=[64, 48])
    states = load_states(tmp_path / "gen.pt")
    a, b = (load(Generator(**SMALL_MUNIT), states[key], key) for key in ("a", "b"))
    pixels = torch.from_numpy(np.asarray(pictures[0], np.float32) / 127.5 - 1).permute(2, 0, 1)[None]
    style = torch.randn(1, 3, 1, 1, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        want = a.decode(b.encode(pixels), style).mean(1)[0].numpy()
        turned = b.decode(a.encode(pixels), style).mean(1)[0].numpy()
        again = a.train().decode(b.train().encode(pixels), style).mean(1)[0].numpy()
    np.testing.assert_array_equal(open_model(INFRARED, spec).translate(pictures[:1], [5])[0], want)
    # Training mode, in which the published scripts leave it, alters nothing.
    np.testing.assert_array_equal(again, want)
    other = spec.model_copy(update={"options": {**spec.options, "a2b": True}})
    np.testing.assert_array_equal(open_model(INFRARED, other).translate(pictures[:1], [5])[0], turned)


def test_the_generator_is_munits_arithmetic():
    """AdaIN and layer norm as the published code computes them: batch norm over a reshaped batch; divisor std + eps."""
    from vidal.models.munit import AdaIN, LayerNorm

    torch.manual_seed(0)
    x = torch.randn(2, 4, 5, 6)
    adain = AdaIN(4)
    adain.weight, adain.bias = torch.rand(2, 4), torch.rand(2, 4)
    weight, bias = adain.weight.reshape(-1), adain.bias.reshape(-1)
    want = torch.nn.functional.batch_norm(
        x.reshape(1, 8, 5, 6), torch.zeros(8), torch.ones(8), weight, bias, True, 0.1, 1e-5
    )
    torch.testing.assert_close(adain(x), want.reshape(2, 4, 5, 6))
    normal = LayerNorm(4)
    normal.gamma.data.uniform_()
    want = (x - x.reshape(2, -1).mean(1).reshape(2, 1, 1, 1)) / (x.reshape(2, -1).std(1).reshape(2, 1, 1, 1) + 1e-5)
    torch.testing.assert_close(normal(x), want * normal.gamma.reshape(1, 4, 1, 1))


def test_the_model_sees_the_pictures_aspect_unless_it_is_forced(tmp_path, monkeypatch):
    seen = []
    encode = Generator.encode
    monkeypatch.setattr(
        Generator, "encode", lambda self, pixels: seen.append(tuple(pixels.shape)) or encode(self, pixels)
    )
    tall = [Image.new("RGB", (30, 60))]
    open_model(INFRARED, save_munit(tmp_path / "gen.pt")).translate(tall, [0])
    open_model(INFRARED, save_munit(tmp_path / "gen.pt", input=[40, 24])).translate(tall, [0])
    assert seen == [(1, 3, 64, 32), (1, 3, 24, 40)]


def test_the_published_layout_has_these_keys():
    keys = set(Generator().state_dict())
    for key in ("enc_style.model.0.conv.weight", "enc_style.model.6.weight", "enc_content.model.3.model.0.model.0.conv.weight",
                "dec.model.0.model.3.model.1.norm.running_mean", "dec.model.2.norm.gamma", "dec.model.5.conv.bias",
                "mlp.model.2.fc.weight"):  # fmt: skip
        assert key in keys
    assert Generator().state_dict()["mlp.model.2.fc.weight"].shape[0] == 4 * 2 * 2 * 256


def test_a_wrong_checkpoint_is_refused_by_name(tmp_path):
    def rename(states):
        states["b"]["dec.model.0.wrong"] = states["b"].pop("mlp.model.0.fc.weight")

    with pytest.raises(
        UserError, match=r"generator b: 2 keys are missing or unknown; the first is dec\.model\.0\.wrong"
    ):
        open_model(INFRARED, save_munit(tmp_path / "gen.pt", rename))

    def reshape(states):
        states["a"]["mlp.model.0.fc.bias"] = torch.zeros(3)

    with pytest.raises(UserError, match=r"generator a: size mismatch for mlp\.model\.0\.fc\.bias"):
        open_model(INFRARED, save_munit(tmp_path / "gen.pt", reshape))
    with pytest.raises(UserError, match="No such file"):
        open_model(INFRARED, ModelSpec(adapter="munit", id=str(tmp_path / "none.pt")))
    with pytest.raises(UserError, match="Is a directory"):
        open_model(INFRARED, ModelSpec(adapter="munit", id=str(tmp_path)))
    for wrong in ([1], {"a": {}}, {"a": {}, "b": 3}):
        torch.save(wrong, tmp_path / "wrong.pt")
        with pytest.raises(UserError, match="state dicts of the generators"):
            open_model(INFRARED, ModelSpec(adapter="munit", id=str(tmp_path / "wrong.pt")))


class _Evil:
    def __reduce__(self):
        return (open, ("evil.txt", "w"))


def test_a_checkpoint_that_would_run_code_is_refused_and_runs_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"a": _Evil(), "b": {}}, "evil.pt")
    (tmp_path / "plain.pt").write_bytes(pickle.dumps(_Evil(), protocol=2))
    (tmp_path / "empty.pt").write_bytes(b"")
    (tmp_path / "text.pt").write_bytes(b"no weights at all")
    for name in ("evil.pt", "plain.pt", "empty.pt", "text.pt"):
        with pytest.raises(UserError, match="contains something other than weights"):
            open_model(INFRARED, ModelSpec(adapter="munit", id=name))
    assert not (tmp_path / "evil.txt").exists()


def test_a_clip_has_one_range_of_intensities():
    levels = to_uint8([np.array([[0.0, 0.5]]), np.array([[0.5, 1.0]])])
    assert [frame.tolist() for frame in levels] == [[[0, 128]], [[128, 255]]]


def frames(seed=0):
    """A still picture, twice, and a brighter one."""
    rng = np.random.default_rng(seed)
    still = rng.integers(0, 200, (48, 64, 3), np.uint8)
    return [still, still, still + 50]


def recipe(spec, *overrides):
    return load_recipe("embedded", (f"infrared.model={spec.model_dump_json()}", *overrides))


def read(out, name):
    with Storage(out).local(name) as path, Image.open(path) as image:
        return np.asarray(image)


def test_a_clip_gets_an_8_bit_picture_for_each_frame_and_its_scores(tmp_path):
    out, spec = str(tmp_path / "out"), save_munit(tmp_path / "gen.pt")
    clips.seed_frames(out, [clips.with_frames(out, "clip", frames())])
    clips.run(out, recipe(spec, "infrared.format=png", "infrared.short_side=24"), "infrared")
    [row] = clips.rows(out, "infrared")
    assert [name.rsplit("/", 2)[1:] for name in row["infrared_paths"]] == [["infrared", f"{i}.png"] for i in range(3)]
    images = [read(out, name) for name in row["infrared_paths"]]
    assert {(image.shape, image.dtype.name) for image in images} == {((24, 32), "uint8")}
    np.testing.assert_array_equal(images[0], images[1])
    assert min(image.min() for image in images) == 0 and max(image.max() for image in images) == 255
    scores = dict(row["infrared_scores"])
    assert scores.keys() == {
        "infrared_luminance_correlation", "infrared_luminance_explained", "infrared_flicker", "infrared_flicker_rgb",
    }  # fmt: skip
    assert scores["infrared_flicker_rgb"] == pytest.approx(50 / 255 / 2, abs=1e-3)
    assert row["infrared_model"].startswith("gen.pt@")


def test_mode_paper_has_a_style_and_a_range_of_its_own_for_every_frame(tmp_path):
    out, spec = str(tmp_path / "out"), save_munit(tmp_path / "gen.pt")
    clips.seed_frames(out, [clips.with_frames(out, "clip", frames())])
    clips.run(out, recipe(spec, "infrared.format=png", "infrared.mode=paper"), "infrared")
    images = [read(out, name) for name in clips.rows(out, "infrared")[0]["infrared_paths"]]
    assert all((image.min(), image.max()) == (0, 255) for image in images)
    assert not np.array_equal(images[0], images[1])  # The same picture twice: it flickers.
    with pytest.raises(UserError, match=r"infrared: .*mode paper needs the adapter munit, not other"):
        load_recipe("embedded", ("infrared.model={adapter: other}", "infrared.mode=paper"))


@pytest.mark.parametrize("mode", ["own", "paper"])
def test_the_rows_do_not_depend_on_the_batch_size(mode, tmp_path):
    spec, made = save_munit(tmp_path / "gen.pt", short_side=16, input=None), []
    for size in ("null", "2", "64"):
        out = str(tmp_path / f"out {size}")
        clips.seed_frames(out, [clips.with_frames(out, f"clip{i}", frames(i)) for i in range(3)])
        settings = recipe(spec, f"resources.infrared.batch_size={size}", f"infrared.mode={mode}")
        clips.run(out, settings, "infrared")
        made.append(clips.rows(out, "infrared"))
    assert made[0] == made[1] == made[2] and len({row["infrared_sha256"][0] for row in made[0]}) == 3


def test_real_thermal_pictures_are_told_from_gray_ones_and_inverted_ones(shared):
    """221 aligned pairs, of which every fifth: real thermal pictures are not a tone curve of the visible ones."""
    names = sorted((shared / "rgb_ir/visible").iterdir())[::5]
    real, gray, inverted = [], [], []
    for name in names:
        visible = Image.open(name).convert("RGB")
        light = np.asarray(visible.convert("L"))
        thermal = Image.open(str(name).replace("visible", "infrared")).convert("L").resize(visible.size)
        for levels, scores in ((np.asarray(thermal), real), (light, gray), (255 - light, inverted)):
            scores.append(infrared_quality.scores([levels], [visible]))
    assert np.mean([each["infrared_luminance_explained"] for each in real]) < 0.5
    assert abs(np.mean([each["infrared_luminance_correlation"] for each in real])) < 0.3
    for copies, sign in ((gray, 1), (inverted, -1)):
        assert np.mean([each["infrared_luminance_explained"] for each in copies]) > 0.95
        assert np.mean([each["infrared_luminance_correlation"] for each in copies]) == pytest.approx(sign)


def test_flicker_is_measured_against_that_of_the_pictures():
    steady = [Image.new("L", (8, 8), 100)] * 4
    jumping = [np.full((8, 8), level, np.uint8) for level in (0, 51, 0, 51)]
    found = infrared_quality.scores(jumping, steady)
    assert (found["infrared_flicker"], found["infrared_flicker_rgb"]) == (pytest.approx(0.2), 0.0)
    assert "infrared_luminance_correlation" not in found  # Of flat pictures there is none.
