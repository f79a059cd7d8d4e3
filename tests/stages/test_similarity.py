"""Similarity: the scores of a clip, real clips against real captions, and the adapters against the libraries they wrap.

The checkpoints that tests save have random weights: with those only plumbing is judged.
"""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks import similarity_table
from vidal.config.base import ModelSpec
from vidal.config.loading import load_recipe
from vidal.errors import UserError
from vidal.models.registry import SCORERS, open_model, why_unavailable
from vidal.stages.similarity.stage import compare, embedding, texts_of

TEXTS = ["a cat", "a photo of a dog in the garden"]


@pytest.fixture
def pictures():
    rng = np.random.default_rng(0)
    return [Image.fromarray(rng.integers(0, 255, (48, 64, 3), np.uint8)) for _ in range(3)]


class Directions:
    """Texts as known unit vectors, so that every cosine can be worked out by hand."""

    def embed_texts(self, texts):
        known = {"right": (1.0, 0.0), "up": (0.0, 1.0), "left": (-1.0, 0.0), "diagonal": (0.6, 0.8)}
        return np.array([known[text] for text in texts], np.float32)


def test_scores_of_title_hashtags_and_terms_by_hand():
    frames = np.array([[1.0, 0.0], [0.0, 1.0]], np.float32)
    texts = {"similarity": ["diagonal"], "similarity_title": ["right"], "similarity_hashtags": ["up"],
             "similarity_term_max": ["left", "diagonal"]}  # fmt: skip
    mean, scores = compare(frames, texts, Directions())
    assert mean == pytest.approx(0.7)
    assert scores == pytest.approx(
        {"similarity_max": 0.8, "similarity_min": 0.6, "similarity_title": 0.5, "similarity_hashtags": 0.5,
         "similarity_term_max": 0.7}
    )  # fmt: skip
    assert compare(frames, {"similarity": ["left"], "similarity_term_max": ["left"]}, Directions()) == (
        -0.5,
        {"similarity_max": 0.0, "similarity_min": -1.0, "similarity_term_max": -0.5},
    )


def test_what_a_clip_is_compared_with():
    clip = {
        "text": "A cat sleeps cat",
        "title": "A cat sleeps #cat #fyp",
        "hashtags": ["cat", "fyp"],
        "search_terms": [],
    }
    rules = load_recipe("embedded").text
    assert texts_of(clip, rules) == {
        "similarity": ["A cat sleeps cat"],
        "similarity_title": ["A cat sleeps"],
        "similarity_hashtags": ["cat"],
        "similarity_term_max": [],
    }
    bare = {"text": "x", "title": None, "hashtags": ["fyp"], "search_terms": ["a", "b"]}
    assert [len(texts) for texts in texts_of(bare, rules).values()] == [1, 0, 0, 2]


def test_the_embedding_is_the_unit_mean_of_the_frames():
    frames = np.array([[1, 0, 0], [0.6, 0.8, 0]], np.float32)
    assert embedding(frames) == pytest.approx([0.8944, 0.4472, 0.0], abs=1e-6)
    assert str(embedding(np.array([[1, -1e-9]], np.float32))[1]) == "0.0"


@pytest.mark.slow
def test_real_clips_rank_their_own_caption_above_others(shared, capsys):
    found = similarity_table.table(load_recipe("embedded"), shared / "videos")
    with capsys.disabled():
        print("\n" + "\n".join(similarity_table.show(found).splitlines()[-3:]))
    assert found.similarities.shape == (32, 32)
    assert found.wins.mean() >= 0.8
    assert found.auc > 0.75


def test_the_table_counts_by_hand():
    found = similarity_table.Table(np.array([[0.5, 0.5, 0.1], [0.0, 0.9, 0.2], [0.4, 0.4, 0.3]]), ["a", "b", "c"])
    assert found.wins.tolist() == [0.75, 1.0, 0.0]
    # Matched 0.5, 0.9, 0.3 against 0.5, 0.1, 0.0, 0.2, 0.4, 0.4: (5.5 + 6 + 3) of 18.
    assert found.auc == pytest.approx(14.5 / 18)


def save_open_clip_clip(folder):
    import open_clip
    from safetensors.torch import save_file

    torch.manual_seed(0)
    config = {"embed_dim": 32, "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "patch_size": 16, "head_width": 32},
              "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2}}  # fmt: skip
    model = open_clip.CLIP(**config).eval()
    return save_open_clip(folder, model, config, save_file), open_clip.get_tokenizer("ViT-B-32")


def save_open_clip_siglip(folder):
    import open_clip
    from safetensors.torch import save_file

    torch.manual_seed(0)
    tiny_tokenizer().save_pretrained(folder)
    config = {"embed_dim": 64, "init_logit_bias": -10,
              "vision_cfg": {"image_size": 32, "timm_model_name": "test_vit", "timm_pool": "map", "timm_proj": "none"},
              "text_cfg": {"context_length": 16, "vocab_size": 64, "width": 64, "heads": 2, "layers": 2, "pool_type": "last",
                           "no_causal_mask": True, "proj_bias": True, "hf_tokenizer_name": "tiny",
                           "tokenizer_kwargs": {"clean": "canonicalize"}}}  # fmt: skip
    model = open_clip.CustomTextCLIP(**config).eval()
    tokenizer = open_clip.tokenizer.HFTokenizer(str(folder), context_length=16, clean="canonicalize")
    return save_open_clip(folder, model, {**config, "custom_text": True}, save_file), tokenizer


MEAN_STD = {"mean": [0.48, 0.46, 0.41], "std": [0.27, 0.26, 0.28]}


def save_open_clip(folder, model, config, save_file):
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config, "preprocess_cfg": MEAN_STD}))
    save_file(
        {key: value.contiguous() for key, value in model.state_dict().items()}, folder / "open_clip_model.safetensors"
    )
    return model


def tiny_tokenizer():
    """A word-level tokenizer in the layout of the hub."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    words = ["<pad>", "</s>", "<unk>", "a", "cat", "dog", "photo", "of", "in", "the", "garden"]
    tokenizer = Tokenizer(models.WordLevel({word: index for index, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=16
    )


@pytest.mark.parametrize("save", [save_open_clip_clip, save_open_clip_siglip])
def test_open_clip_equals_the_library_for_clip_and_siglip(save, tmp_path, pictures):
    import open_clip

    model, tokenizer = save(tmp_path)
    adapter = open_model(SCORERS, ModelSpec(adapter="open_clip", id=str(tmp_path), device="cpu"))
    transform = open_clip.image_transform(32, is_train=False, **MEAN_STD)
    with torch.inference_mode():
        images = model.encode_image(torch.stack([transform(p) for p in pictures]), normalize=True).numpy()
        texts = model.encode_text(tokenizer(TEXTS), normalize=True).numpy()
    np.testing.assert_allclose(adapter.embed_images(pictures), images, atol=1e-5)
    np.testing.assert_allclose(adapter.embed_texts(TEXTS), texts, atol=1e-5)
    assert not np.allclose(texts[0], texts[1], atol=1e-3)


def test_open_clip_takes_a_local_checkpoint_of_a_named_model(tmp_path, pictures, monkeypatch):
    """As a training run leaves it: a state dict under "state_dict". The architecture is named; here it is a small one."""
    import open_clip

    config = {"embed_dim": 32, "vision_cfg": {"image_size": 32, "layers": 1, "width": 64, "patch_size": 16, "head_width": 32},
              "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1}}  # fmt: skip
    (tmp_path / "Tiny.json").write_text(json.dumps(config))
    open_clip.add_model_config(tmp_path / "Tiny.json")
    torch.manual_seed(0)
    model = open_clip.create_model("Tiny").eval()
    torch.save({"state_dict": model.state_dict(), "epoch": 3}, tmp_path / "epoch_3.pt")
    spec = ModelSpec(adapter="open_clip", id=f"Tiny/{tmp_path}/epoch_3.pt", device="cpu")
    assert why_unavailable(SCORERS, spec) is None
    adapter = open_model(SCORERS, spec)
    with torch.inference_mode():
        texts = model.encode_text(open_clip.get_tokenizer("Tiny")(TEXTS), normalize=True).numpy()
    np.testing.assert_allclose(adapter.embed_texts(TEXTS), texts, atol=1e-5)


TEXT = {"vocab_size": 64, "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
        "max_position_embeddings": 16, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 1, "projection_size": 32}  # fmt: skip
VISION = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 32,
          "patch_size": 16}  # fmt: skip


def save_clip(folder):
    import transformers as tf

    torch.manual_seed(0)
    model = tf.CLIPModel(tf.CLIPConfig(text_config=TEXT, vision_config=VISION, projection_dim=24)).eval()
    crop = {"height": 32, "width": 32}
    processor = tf.CLIPProcessor(tf.CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=crop), tiny_tokenizer())
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return model, processor, True


def save_siglip(folder):
    """With the model's own tokenizer: a sentencepiece model, trained here on a few words."""
    import sentencepiece
    import transformers as tf

    corpus = folder / "corpus.txt"
    corpus.write_text("\n".join(["a cat and a dog", "a photo of a dog in the garden", "cats sleep"] * 20))
    sentencepiece.SentencePieceTrainer.train(
        input=str(corpus), model_prefix=str(folder / "tiny"), vocab_size=40, hard_vocab_limit=False, minloglevel=2
    )
    tokenizer = tf.SiglipTokenizer(vocab_file=str(folder / "tiny.model"), model_max_length=16)
    torch.manual_seed(0)
    model = tf.SiglipModel(tf.SiglipConfig(text_config=TEXT, vision_config=VISION)).eval()
    processor = tf.SiglipProcessor(tf.SiglipImageProcessor(size={"height": 32, "width": 32}), tokenizer)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return model, processor, "max_length"


@pytest.mark.parametrize("save", [save_clip, save_siglip])
def test_transformers_equals_the_library_for_clip_and_siglip(save, tmp_path, pictures):
    model, processor, padding = save(tmp_path)
    adapter = open_model(SCORERS, ModelSpec(adapter="transformers", id=str(tmp_path), device="cpu"))
    inputs = processor(
        text=TEXTS, images=pictures, padding=padding, truncation=True, max_length=16, return_tensors="pt"
    )
    with torch.inference_mode():
        both = model(**inputs)
    np.testing.assert_allclose(adapter.embed_images(pictures), both.image_embeds.numpy(), atol=1e-5)
    np.testing.assert_allclose(adapter.embed_texts(TEXTS), both.text_embeds.numpy(), atol=1e-5)
    assert not np.allclose(adapter.embed_texts(TEXTS)[0], adapter.embed_texts(TEXTS)[1], atol=1e-3)
    long = "a cat in the garden of a dog " * 20
    assert adapter.embed_texts([long]).shape == adapter.embed_texts(["a cat"]).shape


def test_siglip_gives_a_text_the_same_vector_alone_and_beside_a_longer_one(tmp_path):
    save_siglip(tmp_path)
    adapter = open_model(SCORERS, ModelSpec(adapter="transformers", id=str(tmp_path), device="cpu"))
    np.testing.assert_allclose(adapter.embed_texts(["a cat"])[0], adapter.embed_texts(TEXTS)[0], atol=1e-5)


def test_a_model_without_pictures_and_texts_is_refused(tmp_path):
    import transformers as tf

    config = tf.BertConfig(
        vocab_size=64, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
    )
    tf.BertModel(config).save_pretrained(tmp_path)
    tiny_tokenizer().save_pretrained(tmp_path)
    with pytest.raises(UserError, match="BertModel does not embed both pictures and texts"):
        open_model(SCORERS, ModelSpec(adapter="transformers", id=str(tmp_path), device="cpu"))
