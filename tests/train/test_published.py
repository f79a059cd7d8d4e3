"""LanguageBind's published checkpoints: made here as its code makes them, from transformers' CLIP and peft, with random weights."""

import json

import numpy as np
import pytest
import torch
import transformers
from PIL import Image
from scipy.io import wavfile
from torch.nn import functional as F

from tests.support import tiny_models
from vidal import load_encoder
from vidal.errors import UserError
from vidal.train import inputs

WIDTH = 12
WORDS = ("a", "photo", "of", "cat", "dog", "piano")


def tokenizer(folder):
    """CLIP's, of a few words."""
    tokens = [
        "<|startoftext|>",
        "<|endoftext|>",
        *(f"{word}</w>" for word in WORDS),
        *map(chr, range(97, 123)),
        *(f"{chr(k)}</w>" for k in range(97, 123)),
    ]
    vocabulary = {token: place for place, token in enumerate(dict.fromkeys(tokens))}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("#version: 0.2\no f</w>\n")
    return len(vocabulary)


def clip(words, **vision):
    return tiny_models.clip(WIDTH, words, {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}, **vision)


def with_adapters(model, alpha, rank):
    """As its convert_to_lora, with adapters that do something."""
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(r=rank, lora_alpha=alpha, target_modules=["q_proj", "k_proj", "v_proj", "out_proj"])
    model.vision_model.encoder = get_peft_model(model.vision_model.encoder, config)
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.3)
    return model.eval()


def save(folder, model, kind, state=None, **vision):
    folder.mkdir(exist_ok=True)
    config = {
        "model_type": kind,
        "projection_dim": WIDTH,
        "text_config": model.config.text_config.to_dict(),
        "vision_config": {**model.config.vision_config.to_dict(), **vision},
    }
    (folder / "config.json").write_text(json.dumps(config))
    torch.save(model.state_dict() if state is None else state, folder / "pytorch_model.bin")
    return folder


@pytest.fixture
def depth(tmp_path):
    folder = tmp_path / "LanguageBind_Depth"
    folder.mkdir()
    model = with_adapters(clip(tokenizer(folder)), alpha=16, rank=2)
    return save(folder, model, "LanguageBindDepth", lora_r=2, lora_alpha=16), model


def features(model, pixels):
    made = model.get_image_features(pixel_values=pixels)
    return F.normalize(getattr(made, "pooler_output", made), dim=-1).detach().numpy()


def test_depth_and_text_are_those_of_the_model_that_wrote_it(depth, tmp_path):
    folder, model = depth
    bound = load_encoder(folder)
    assert bound.modalities == ["depth"]
    ramp = np.linspace(300, 9000, 32 * 32).reshape(32, 32).astype(np.uint16)
    Image.fromarray(ramp).save(tmp_path / "d.png")
    mean, std = (
        torch.tensor(each).view(3, 1, 1)
        for each in ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
    )
    metres = torch.from_numpy(ramp / 1000 / 10).float().expand(1, 3, 32, 32)
    assert np.allclose(
        bound.encode_depth([tmp_path / "d.png"]), features(model, (metres - mean) / std), atol=2e-3
    )  # 16-bit floats.
    tokens = transformers.CLIPTokenizer.from_pretrained(str(folder))(
        ["a photo of a cat"], padding="max_length", max_length=77, return_tensors="pt"
    )
    told = model.get_text_features(**tokens)
    expected = F.normalize(getattr(told, "pooler_output", told), dim=-1).detach().numpy()
    assert np.allclose(bound.encode_text(["a photo of a cat"]), expected, atol=1e-5)
    with pytest.raises(UserError, match="trained for depth"):
        bound.encode_audio([tmp_path / "d.png"])


def test_a_sounds_positions_are_those_that_were_learned(tmp_path):
    """Its picture is wide: 2 x 5 patches, whose positions no square holds."""
    folder = tmp_path / "LanguageBind_Audio"
    folder.mkdir()
    model = clip(tokenizer(folder))
    torch.manual_seed(1)
    positions = torch.randn(11, 16)
    state = {
        **model.state_dict(),
        "vision_model.embeddings.position_embedding.weight": positions,
        "vision_model.embeddings.position_ids": torch.arange(11)[None],
    }
    save(folder, model, "LanguageBindAudio", state, num_mel_bins=16, target_length=40)
    bound = load_encoder(folder)
    wavfile.write(tmp_path / "a.wav", 16_000, (np.sin(np.arange(9000) / 20) * 9000).astype(np.int16))
    assert bound._settings[next(iter(bound._settings))].fbank.frames == 40
    from vidal.train.settings import Fbank

    sound = torch.from_numpy(inputs.read_sound(tmp_path / "a.wav", Fbank(mel_bins=16, frames=40, fill="tile"))).float()[
        None
    ]
    pixels = (sound + 4.2677393) / (2 * 4.5689974)
    vision = model.vision_model
    patches = vision.embeddings.patch_embedding(pixels).flatten(2).transpose(1, 2)
    hidden = torch.cat([vision.embeddings.class_embedding.expand(1, 1, -1), patches], 1) + positions
    hidden = vision.pre_layrnorm(hidden)
    for layer in vision.encoder.layers:
        made = layer(hidden, None)
        hidden = made[0] if isinstance(made, tuple) else made
    expected = F.normalize(model.visual_projection(vision.post_layernorm(hidden[:, 0])), dim=-1).detach().numpy()
    assert np.allclose(bound.encode_audio([tmp_path / "a.wav"]), expected, atol=1e-5)


def test_a_videos_time_is_read(tmp_path):
    folder = tmp_path / "LanguageBind_Video"
    folder.mkdir()
    model = clip(tokenizer(folder))
    state = dict(model.state_dict())
    torch.manual_seed(2)
    for k in range(2):
        prefix = f"vision_model.encoder.layers.{k}"
        for name, value in list(state.items()):
            if name.startswith(f"{prefix}.self_attn.") or name.startswith(f"{prefix}.layer_norm1."):
                state[name.replace("self_attn", "temporal_attn").replace("layer_norm1", "temporal_layer_norm1")] = (
                    value + 0.1
                )
        state[f"{prefix}.temporal_embedding"] = torch.randn(1, 4, 16)
    save(folder, model, "LanguageBindVideo", state, add_time_attn=True, num_frames=4)
    paths = []
    for k in range(4):
        paths.append(tmp_path / f"{k}.png")
        Image.effect_noise((32, 32), 20 + 50 * k).convert("RGB").save(paths[-1])
    bound = load_encoder(folder)
    forward, backward = bound.encode_video([paths]), bound.encode_video([paths[::-1]])
    assert forward.shape == (1, WIDTH) and not np.allclose(forward, backward, atol=1e-4)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda state: state.pop("vision_model.encoder.base_model.model.layers.1.mlp.fc1.weight"),
            "lacks vision_model.encoder.layers.1.mlp.fc1.weight",
        ),
        (lambda state: state.pop("text_model.final_layer_norm.weight"), "lacks text_model.final_layer_norm.weight"),
        (lambda state: state.update({"vision_model.sonar": torch.zeros(1)}), "vision_model.sonar"),
        (lambda state: state.update({"audio_head.weight": torch.zeros(1)}), "audio_head.weight"),
        (
            lambda state: state.update({"visual_projection.weight": torch.zeros(3, 3)}),
            "another shape visual_projection.weight",
        ),
        (
            lambda state: state.pop(
                "vision_model.encoder.base_model.model.layers.0.self_attn.q_proj.lora_A.default.weight"
            ),
            "adapter of vision_model.encoder.layers.0.self_attn.q_proj",
        ),
    ],
)
def test_what_does_not_fit_is_refused_by_its_name(depth, change, said):
    folder, model = depth
    state = dict(model.state_dict())
    change(state)
    torch.save(state, folder / "pytorch_model.bin")
    with pytest.raises(UserError, match=said):
        load_encoder(folder)


def test_a_file_that_runs_code_is_refused(depth):
    folder, _ = depth

    class Evil:
        def __reduce__(self):
            return print, ("run",)

    torch.save({"vision_model.x": Evil()}, folder / "pytorch_model.bin")
    with pytest.raises(UserError, match=r"pytorch_model.bin"):
        load_encoder(folder)
