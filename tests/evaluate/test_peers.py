"""Encoders of other projects through our harness: their vectors are those of the library that made them, with its own processor."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from tests.stages.test_similarity import save_clip, save_open_clip_clip, save_siglip, tiny_tokenizer
from tests.stages.test_sound import tiny_clap
from tests.support import benchmark_layouts as layouts
from tests.support import tiny_peers
from tests.support.inline import vidal_inline
from vidal.errors import UserError
from vidal.evaluate.encoders import modalities_of, open_encoder
from vidal.evaluate.peers import KINDS, find_peer
from vidal.train import frames

TEXTS = ["a photo of a dog in the garden", "a cat"]


@pytest.fixture
def pictures(tmp_path):
    """A wide one and a high one, as files."""
    folder = tmp_path / "pictures"
    return [layouts.jpeg(folder / "wide.jpg", 1, (90, 60)), layouts.jpeg(folder / "high.jpg", 2, (50, 80))]


@pytest.fixture
def model_folder(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    return folder


def unit(features):
    features = getattr(features, "pooler_output", features)
    return F.normalize(features.float(), dim=-1).numpy()


def opened(paths):
    return [Image.open(path).convert("RGB") for path in paths]


def save_siglip2(folder):
    """NaFlex, which takes patches of pictures of any shape."""
    import transformers as tf

    torch.manual_seed(0)
    text = {"vocab_size": 64, "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2,
            "max_position_embeddings": 16, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 1, "projection_size": 32}  # fmt: skip
    vision = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "num_patches": 16,
              "patch_size": 8}  # fmt: skip
    model = tf.Siglip2Model(tf.Siglip2Config(text_config=text, vision_config=vision)).eval()
    processor = tf.Siglip2Processor(tf.Siglip2ImageProcessor(patch_size=8, max_num_patches=12), tiny_tokenizer())
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return model, processor, "max_length"


@pytest.mark.parametrize("save", [save_clip, save_siglip, save_siglip2])
def test_clip_and_siglip_equal_transformers_and_its_processor(save, model_folder, pictures, tmp_path):
    from transformers import AutoProcessor

    model, _, padding = save(model_folder)
    processor, encoder = AutoProcessor.from_pretrained(model_folder), open_encoder(str(model_folder))
    side = {"padding_side": "right", "padding": padding, "max_length": 16, "truncation": True}
    given = processor.tokenizer(TEXTS, **side, return_tensors="pt")
    with torch.inference_mode():
        both = model(**given, **processor.image_processor(images=opened(pictures), return_tensors="pt"))
    np.testing.assert_allclose(encoder.encode_image(pictures), both.image_embeds.numpy(), atol=1e-5)
    np.testing.assert_allclose(encoder.encode_text(TEXTS), both.text_embeds.numpy(), atol=1e-5)
    assert not np.allclose(both.text_embeds[0], both.text_embeds[1], atol=1e-3)
    assert not np.allclose(both.image_embeds[0], both.image_embeds[1], atol=1e-3)
    film = layouts.film(tmp_path / "a.mp4", 3)
    decoded = frames.chosen(film, lambda total, fps, excerpt: frames.even_indices(total, 8))
    with torch.inference_mode():
        each = unit(model.get_image_features(**processor.image_processor(images=decoded, return_tensors="pt")))
    mean = each.mean(0) / np.linalg.norm(each.mean(0))
    np.testing.assert_allclose(encoder.encode_video([film])[0], mean, atol=1e-5)
    np.testing.assert_allclose(encoder.encode_infrared(pictures), encoder.encode_image(pictures), atol=1e-6)


def test_depth_is_shown_to_clip_as_a_grey_picture_that_is_lighter_where_it_is_farther(model_folder):
    save_clip(model_folder)
    encoder = open_encoder(str(model_folder))
    metres = np.linspace(0.5, 9, 40 * 50, dtype=np.float32).reshape(40, 50)
    grey = Image.fromarray((metres / 10 * 255).round().astype(np.uint8)).convert("RGB")
    np.testing.assert_allclose(encoder.encode_depth(metres), encoder.encode_image(grey), atol=1e-6)


@pytest.mark.parametrize("from_folder", [True, False])
def test_open_clip_equals_the_library_and_its_transform(from_folder, model_folder, pictures):
    import open_clip

    if from_folder:
        model, tokenizer = save_open_clip_clip(model_folder)
        encoder, config = open_encoder(str(model_folder)), {"mean": [0.48, 0.46, 0.41], "std": [0.27, 0.26, 0.28]}
        transform = open_clip.image_transform(32, is_train=False, **config)
    else:
        name, model = tiny_peers.save_open_clip(model_folder)
        encoder, tokenizer = open_encoder(f"open_clip:{name}"), open_clip.get_tokenizer("TinyPeer")
        transform = open_clip.create_model_and_transforms("TinyPeer")[2]
    with torch.inference_mode():
        images = unit(model.encode_image(torch.stack([transform(each) for each in opened(pictures)])))
        texts = unit(model.encode_text(tokenizer(TEXTS)))
    np.testing.assert_allclose(encoder.encode_image(pictures), images, atol=1e-5)
    np.testing.assert_allclose(encoder.encode_text(TEXTS), texts, atol=1e-5)
    assert sorted(encoder.modalities) == ["depth", "image", "infrared", "video"]


def test_the_activation_of_open_clip_is_that_which_its_weights_were_trained_with(model_folder, pictures, monkeypatch):
    """The name ViT-B-32 says GELU, and OpenAI's weights under this name want QuickGELU."""
    import open_clip

    name, _ = tiny_peers.save_open_clip(model_folder)
    plain = open_encoder(f"open_clip:{name}").encode_image(pictures)
    monkeypatch.setattr(open_clip, "get_pretrained_cfg", lambda *_: {"quick_gelu": True})
    assert not np.allclose(open_encoder(f"open_clip:{name}").encode_image(pictures), plain, atol=1e-4)


@pytest.mark.parametrize("truncation", ["rand_trunc", "fusion"])
def test_clap_equals_transformers_and_its_processor(truncation, model_folder, tmp_path):
    from transformers import AutoProcessor

    model = tiny_clap(model_folder)
    processor = AutoProcessor.from_pretrained(model_folder)
    if truncation == "fusion":
        model = fused(model, processor, model_folder)
    encoder, path = open_encoder(str(model_folder)), layouts.wav(tmp_path / "a.wav", 1)
    samples = layouts.tone(1).astype(np.float32) / 32768
    inputs = processor(text=["a b", "c"], audio=[samples], sampling_rate=16_000, padding=True, return_tensors="pt")
    with torch.inference_mode():
        both = model(**inputs)
    np.testing.assert_allclose(encoder.encode_audio([path]), both.audio_embeds.numpy(), atol=1e-5)
    np.testing.assert_allclose(encoder.encode_text(["a b", "c"]), both.text_embeds.numpy(), atol=1e-5)
    long = np.tile(samples, 3)
    np.testing.assert_array_equal(encoder.encode_audio(long), encoder.encode_audio(long))
    assert modalities_of([str(model_folder)]) == {"audio"}


def fused(model, processor, folder):
    """Saves it again as a CLAP that fuses a long sound's windows, as laion/clap-htsat-fused does."""
    import transformers as tf

    config = model.config
    config.audio_config.enable_fusion = True
    torch.manual_seed(1)
    wider = tf.ClapModel(config).eval()
    processor.feature_extractor.truncation = "fusion"
    wider.save_pretrained(folder)
    processor.save_pretrained(folder)
    return wider


def test_pe_av_scores_are_those_of_transformers_halved(model_folder, tmp_path):
    model = tiny_peers.save_pe_av(model_folder, tiny_tokenizer())
    encoder = open_encoder(f"pe_av:{model_folder}")
    film, wave = layouts.film(tmp_path / "a.mp4", 3), layouts.wav(tmp_path / "b.wav", 1)
    with torch.inference_mode():
        expected = pe_av_units(model, model_folder, film, wave)
    texts, sound, video = encoder.encode_text(TEXTS), encoder.encode_audio([wave])[0], encoder.encode_video([film])[0]
    np.testing.assert_allclose(texts @ sound, expected["text_audio"] @ expected["audio"] / 2, atol=1e-5)
    np.testing.assert_allclose(texts @ video, expected["text_video"] @ expected["video"] / 2, atol=1e-5)
    np.testing.assert_allclose(sound @ video, expected["audio"] @ expected["video"] / 2, atol=1e-5)
    assert abs(texts @ sound).max() > 1e-3 and not np.allclose(texts[0], texts[1], atol=1e-3)
    lengths = [wave, layouts.tone(2)[:20_000].astype(np.float32) / 32768]  # A batch of sounds of two lengths.
    np.testing.assert_allclose(encoder.encode_audio(lengths)[0], sound, atol=1e-5)


def pe_av_units(model, folder, film, wave):
    """The vectors of transformers, by its own processor of sounds and of whole videos."""
    from transformers import AutoProcessor

    from vidal.media.sound import read_mono

    processor = AutoProcessor.from_pretrained(folder)
    whole = np.stack([np.asarray(each) for each in frames.chosen(film, lambda total, *_: list(range(total)))])
    metadata = {"total_num_frames": len(whole), "fps": 8.0, "duration": 2.0}
    samples = read_mono(wave, 48_000).astype(np.float32) / 32768
    pixels = processor.video_processor(
        videos=[torch.from_numpy(whole).permute(0, 3, 1, 2)], video_metadata=[metadata], do_sample_frames=True, return_tensors="pt"
    )["pixel_values_videos"]  # fmt: skip
    values = processor.feature_extractor([samples], sampling_rate=48_000, return_tensors="pt")["input_values"]
    tokens = processor.tokenizer(TEXTS, padding=True, return_tensors="pt")
    text_inputs = {"input_ids": tokens["input_ids"], "attention_mask": tokens["attention_mask"]}
    heard = model.audio_model(input_values=values.repeat(2, 1, 1), **text_inputs)
    seen = model.video_model(pixel_values_videos=pixels.repeat(2, 1, 1, 1, 1), **text_inputs)
    return {
        "audio": unit(heard.audio_embeds)[0],
        "video": unit(seen.video_embeds)[0],
        "text_audio": unit(heard.text_audio_embeds),
        "text_video": unit(seen.text_video_embeds),
    }


@pytest.mark.parametrize(
    ("checkpoint", "said"),
    [
        ("clap:", "an id or a path must follow"),
        (
            "clop:openai/clip",
            "'clop' is not a kind of encoder: choose from open_clip, clip, siglip, clap, pe_av, imagebind",
        ),
        ("clip:/nowhere/model", "no such file or folder"),
        ("open_clip:ViT-B-32", "no weights are named: add one of openai"),
        ("open_clip:ViT-B-32/nothing_of_the_kind", "ViT-B-32/nothing_of_the_kind"),
        ("imagebind:/nowhere/imagebind_huge.pth", "no such file or folder"),
        ("imagebind:imagebind_huge.pth", "no such checkpoint; give the path of imagebind_huge.pth"),
    ],
)
def test_a_peer_that_is_not_there_is_one_line_and_exit_code_2(checkpoint, said, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    layouts.esc50(tmp_path / "esc50")
    done = vidal_inline("evaluate", "--task", "esc50", "--data", str(tmp_path / "esc50"), "--checkpoint", checkpoint)
    assert done.returncode == 2
    assert said in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_a_model_of_another_kind_and_weights_that_are_missing_are_named(model_folder):
    model, _, _ = save_clip(model_folder)
    with pytest.raises(UserError, match=f"the model has type clip: name it clip:{model_folder}"):
        open_encoder(f"siglip:{model_folder}")
    state = {name: value for name, value in model.state_dict().items() if name != "visual_projection.weight"}
    model.save_pretrained(model_folder, state_dict=state)
    with pytest.raises(UserError, match=r"weights are missing: visual_projection.weight"):
        open_encoder(f"clip:{model_folder}")


def test_open_clips_weights_that_do_not_fit_are_named(model_folder):
    name, model = tiny_peers.save_open_clip(model_folder)
    state = {name: value for name, value in model.state_dict().items() if name != "text_projection"}
    torch.save({"state_dict": state}, model_folder / "epoch_1.pt")
    with pytest.raises(UserError, match="text_projection"):
        open_encoder(f"open_clip:{name}")


def test_folders_are_recognised_by_what_they_hold_and_others_are_left_alone(tmp_path):
    for model_type, kind in (("clip", "clip"), ("siglip2", "siglip"), ("clap", "clap"), ("pe_audio_video", "pe_av")):
        folder = tmp_path / model_type
        folder.mkdir()
        (folder / "config.json").write_text(f'{{"model_type": "{model_type}"}}')
        peer = find_peer(str(folder))
        assert peer is not None and peer.kind is KINDS[kind] and peer.id == str(folder)
    (tmp_path / "clip" / "config.json").write_text('{"model_type": "LanguageBindImage"}')
    assert find_peer(str(tmp_path / "clip")) is None
    assert find_peer(str(tmp_path / "no_such_folder")) is None
