"""The small estimators that ship with vidal: checked when loaded, deterministic, and better than baselines without a network."""

import dataclasses
import shutil

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file, save_file
from skimage import data

from vidal.config.base import ModelSpec
from vidal.config.loading import load_recipe
from vidal.errors import UserError
from vidal.estimators import measure, scenes, training_pairs
from vidal.estimators.fit import fit
from vidal.estimators.tasks import TASKS
from vidal.models.checkpoint import revision, save
from vidal.models.registry import DEPTH, INFRARED, open_model, why_unavailable
from vidal.models.weights import EMBEDDED


def opened(task, folder=None):
    spec = ModelSpec(adapter="encoder_decoder", id=str(folder) if folder else f"embedded:{task}", device="cpu")
    return open_model(DEPTH if task == "depth" else INFRARED, spec)


def maps(model, images):
    return model.estimate(images) if hasattr(model, "estimate") else model.translate(images, [0] * len(images))


@pytest.mark.parametrize("task", ["depth", "infrared"])
def test_a_map_has_the_size_of_its_picture_and_does_not_depend_on_other_pictures(task):
    images = [Image.fromarray(data.coffee()), Image.fromarray(data.chelsea()).resize((200, 301))]
    for image, values in zip(images, maps(opened(task), images), strict=True):
        assert values.shape == (image.height, image.width) and values.dtype == np.float32
        assert np.isfinite(values).all() and values.std() > 0.01
        np.testing.assert_array_equal(values, maps(opened(task), [image])[0])


def test_the_recipe_names_the_revisions_that_ship():
    recipe = load_recipe("embedded")
    for task, spec in (("depth", recipe.depth.model), ("infrared", recipe.infrared.model)):
        registry = {"depth": DEPTH, "infrared": INFRARED}[task]
        assert spec.revision == revision(EMBEDDED / task) and why_unavailable(registry, spec) is None


def test_a_checkpoint_with_one_wrong_key_or_another_revision_is_refused_by_name(tmp_path):
    shutil.copytree(EMBEDDED / "infrared", tmp_path / "ir")
    state = load_file(tmp_path / "ir/model.safetensors")
    state["decoder.wrong"] = state.pop("decoder.head.weight")
    save_file(state, tmp_path / "ir/model.safetensors")
    with pytest.raises(UserError, match=r"2 keys are missing or unknown; the first is decoder\.head\.weight"):
        opened("infrared", tmp_path / "ir")
    with pytest.raises(UserError, match="is a checkpoint for infrared; give one for depth"):
        opened("depth", tmp_path / "ir")
    with pytest.raises(UserError, match="vidal ships embedded:depth, embedded:infrared"):
        open_model(DEPTH, ModelSpec(adapter="encoder_decoder", id="embedded:none"))
    with pytest.raises(UserError, match="asks for revision 0"):
        open_model(DEPTH, ModelSpec(adapter="encoder_decoder", id="embedded:depth", revision="0"))


def test_depth_is_better_than_the_mean_map_and_a_ramp_on_frames_never_trained_on(shared):
    train, test = training_pairs.rgbd(shared, "train")[::10], training_pairs.rgbd(shared, "test")[::10]
    scores = {
        name: measure.score_depth(make, test) for name, make in measure.depth_maps(opened("depth"), train).items()
    }
    model = scores.pop("model")
    for other in scores.values():
        assert model.abs_rel < 0.85 * other.abs_rel and model.delta1 > other.delta1 + 0.05


def test_infrared_is_better_than_grey_with_its_best_fit_on_pairs_never_trained_on(shared):
    test = training_pairs.rgb_ir(shared, "test")[::2]
    scores = {
        name: measure.score_infrared(make, test) for name, make in measure.infrared_maps(opened("infrared")).items()
    }
    model = scores["model"]
    for other in ("grey", "inverted grey", "grey or inverted grey, fitted"):
        assert model.l1 < scores[other].l1 and model.ssim > scores[other].ssim


def test_no_held_out_frame_is_trained_on(shared):
    for split in (training_pairs.rgbd, training_pairs.rgb_ir):
        train, test = ({pair.name for pair in split(shared, name)} for name in ("train", "test"))
        assert train and test and not train & test


def test_a_rendered_scene_is_nearer_at_the_bottom_and_exact_on_the_floor():
    photographs = [data.coffee(), data.chelsea()]
    pairs = scenes.render_scenes(photographs, 3)
    assert len({pair.name for pair in pairs}) == 3
    for pair in pairs:
        assert pair.rgb.shape == (240, 320, 3) and (pair.target >= 0).all()
        again = scenes.render_scene(photographs, int(pair.name.rsplit("-")[-1]))
        np.testing.assert_array_equal(again.target, pair.target)
    assert np.mean([np.median(pair.target[-20:]) > np.median(pair.target[100:120]) for pair in pairs]) > 0.5


@pytest.mark.parametrize("task", ["depth", "infrared"])
def test_training_gives_a_checkpoint_that_the_adapter_loads(tmp_path, task):
    config = TASKS[task].config
    plan = dataclasses.replace(TASKS[task].plan, steps=2, batch=2, sizes=((64, 64),), shares=(1.0,), threads=1)
    pairs = scenes.render_scenes([data.coffee()], 2)
    if task == "infrared":
        pairs = [dataclasses.replace(pair, target=np.clip(pair.target, 0, 1)) for pair in pairs]
    first, second = (save(tmp_path / name, fit([pairs], config, plan), config) for name in ("a", "b"))
    assert first == second  # The same seed gives the same weights.
    assert maps(opened(task, tmp_path / "a"), [Image.fromarray(data.coffee())])[0].shape == data.coffee().shape[:2]
