"""LanguageBind's published checkpoints: made here as its code makes them, from transformers' CLIP and peft, with random weights."""

import copy
import json
from functools import partial

import numpy as np
import pytest
import torch
import transformers
from PIL import Image
from scipy.io import wavfile
from torch.nn import functional as F

import vidal
from tests.support import tiny_models
from vidal.errors import UserError
from vidal.train import inputs

WIDTH = 12

load_encoder = partial(vidal.load_encoder, device="cpu")  # That of the networks that it is compared with.


def clip(words, **vision):
    return tiny_models.clip(WIDTH, words, tiny_models.ends(words), **vision)


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
    model = with_adapters(clip(tiny_models.save_tokenizer(folder)), alpha=16, rank=2)
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
    model = clip(tiny_models.save_tokenizer(folder))
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
    model = clip(tiny_models.save_tokenizer(folder))
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
            "missing weights: vision_model.encoder.layers.1.mlp.fc1.weight",
        ),
        (
            lambda state: state.pop("text_model.final_layer_norm.weight"),
            "missing weights: text_model.final_layer_norm.weight",
        ),
        (lambda state: state.update({"vision_model.sonar": torch.zeros(1)}), "vision_model.sonar"),
        (lambda state: state.update({"audio_head.weight": torch.zeros(1)}), "audio_head.weight"),
        (
            lambda state: state.update({"visual_projection.weight": torch.zeros(3, 3)}),
            "another shape: visual_projection.weight",
        ),
        (
            lambda state: state.pop(
                "vision_model.encoder.base_model.model.layers.0.self_attn.q_proj.lora_A.default.weight"
            ),
            "q_proj: its weight, or one of the two parts of its adapter",
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


def expand(state, frames, tube):
    """As expand3d of LanguageBind's V1.5: patches of several frames, whose first is the picture's; a class embedding a frame."""
    flat = state["vision_model.embeddings.patch_embedding.weight"]
    torch.manual_seed(3)
    deep = torch.cat([flat[:, :, None], *[torch.randn_like(flat)[:, :, None] * 0.1 for _ in range(tube - 1)]], 2)
    groups = frames // tube
    classes = state["vision_model.embeddings.class_embedding"].repeat(groups, 1) + torch.randn(groups, 16) * 0.1
    return {
        **state,
        "vision_model.embeddings.patch_embedding.weight": deep,
        "vision_model.embeddings.class_embedding": classes,
    }


def with_time(state, groups):
    torch.manual_seed(2)
    for k in range(2):
        prefix = f"vision_model.encoder.layers.{k}"
        for name, value in list(state.items()):
            if name.startswith((f"{prefix}.self_attn.", f"{prefix}.layer_norm1.")):
                renamed = name.replace("self_attn", "temporal_attn").replace("layer_norm1", "temporal_layer_norm1")
                state[renamed] = value + 0.1
        state[f"{prefix}.temporal_embedding"] = torch.randn(1, groups, 16)
    return state


def attend(layer, hidden):
    out, _ = layer(hidden, attention_mask=None)
    return out


def v15_features(model, state, pixels, tube):
    """The forward pass of LanguageBind's V1.5, line by line. pixels: (b, t, 3, h, w)."""
    vision, b = model.vision_model, len(pixels)
    kernel = state["vision_model.embeddings.patch_embedding.weight"]
    patches = F.conv3d(pixels.transpose(1, 2), kernel, stride=(tube, 8, 8))
    t = patches.shape[2]
    patches = patches.permute(0, 2, 3, 4, 1).flatten(2, 3)
    classes = state["vision_model.embeddings.class_embedding"][None, :, None].repeat(b, 1, 1, 1)
    hidden = torch.cat([classes, patches], 2) + vision.embeddings.position_embedding.weight
    hidden = vision.pre_layrnorm(hidden.flatten(0, 1))
    for k, layer in enumerate(vision.encoder.layers):
        prefix = f"vision_model.encoder.layers.{k}."
        time = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
        attention = copy.deepcopy(layer.self_attn)
        attention.load_state_dict(
            {name.removeprefix("temporal_attn."): value for name, value in time.items() if "temporal_attn." in name}
        )
        n = hidden.shape[1]
        along = hidden.unflatten(0, (b, t)).transpose(1, 2).flatten(0, 1) + time["temporal_embedding"][:, :t]
        norm = time["temporal_layer_norm1.weight"], time["temporal_layer_norm1.bias"]
        along = along + attend(attention, F.layer_norm(along, (16,), *norm, eps=layer.layer_norm1.eps))
        hidden = along.unflatten(0, (b, n)).transpose(1, 2).flatten(0, 1)
        hidden = hidden + attend(layer.self_attn, layer.layer_norm1(hidden))
        hidden = hidden + layer.mlp(layer.layer_norm2(hidden))
    pooled = vision.post_layernorm(hidden[:, 0]).reshape(b, t, -1).mean(1)
    return model.visual_projection(pooled)


def video_folder(tmp_path, tube, frames=4, **vision):
    folder = tmp_path / f"LanguageBind_Video_V1.5_{tube}"
    folder.mkdir()
    model = clip(tiny_models.save_tokenizer(folder), **vision)
    state = with_time(expand(dict(model.state_dict()), frames, tube), frames // tube)
    return save(
        folder, model, "LanguageBindVideo", state, add_time_attn=True, num_frames=frames, clip_type="vl_new", lora_r=0,
        tube_size=tube, image_size=[32, 32],
    ), model, state  # fmt: skip


@pytest.mark.parametrize("tube", [1, 2])
@pytest.mark.parametrize("vision", [{}, {"hidden_act": "gelu", "num_attention_heads": 4}])
def test_v15_has_a_class_embedding_a_frame_and_patches_in_three_dimensions(tmp_path, tube, vision):
    """Huge differs from Large only in its sizes and its GELU."""
    folder, model, state = video_folder(tmp_path, tube, **vision)
    bound = load_encoder(folder)
    pixels = torch.randn(2, 4, 3, 32, 32)
    tower = bound._towers[next(iter(bound._towers))]
    with torch.no_grad():
        assert torch.allclose(tower(pixels), v15_features(model, state, pixels, tube), atol=1e-5)
    with pytest.raises(UserError, match="groups of frames"):
        tower(torch.randn(1, 4 + tube, 3, 32, 32))


def test_an_image_size_of_two_numbers_is_read_and_one_that_is_no_square_refused(depth):
    folder, _ = depth
    config = json.loads((folder / "config.json").read_text())
    config["vision_config"]["image_size"] = [32, 32]
    (folder / "config.json").write_text(json.dumps(config))
    assert load_encoder(folder).modalities == ["depth"]
    config["vision_config"]["image_size"] = [32, 48]
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match="only square"):
        load_encoder(folder)


def test_weights_in_several_files_are_read(depth):
    folder, model = depth
    before = load_encoder(folder).encode_text(["a cat"])
    names = list(model.state_dict())
    for k, part in enumerate((names[::2], names[1::2])):
        torch.save({name: model.state_dict()[name] for name in part}, folder / f"pytorch_model-{k}.bin")
    index = {name: f"pytorch_model-{place % 2}.bin" for place, name in enumerate(names)}
    (folder / "pytorch_model.bin").unlink()
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": index}))
    assert np.allclose(load_encoder(folder).encode_text(["a cat"]), before, atol=1e-6)


def depth_picture(path):
    Image.fromarray(np.linspace(300, 9000, 32 * 32).reshape(32, 32).astype(np.uint16)).save(path)
    return path


@pytest.mark.parametrize("keep_adapters", [False, True])
def test_an_exported_encoder_gives_the_same_vectors(depth, tmp_path, keep_adapters):
    """Of an encoder of vidal with adapters that have learned something."""
    from vidal.train.export import export_encoder

    folder = trained(depth[0], tmp_path)
    picture, bound = depth_picture(tmp_path / "d.png"), load_encoder(folder)
    (written,) = export_encoder(folder, tmp_path / "out", "languagebind", keep_adapters)
    names = torch.load(tmp_path / "out" / "depth" / "pytorch_model.bin", weights_only=True).keys()
    assert any("lora_A" in name for name in names) == keep_adapters
    again = load_encoder(written.folder)
    assert np.allclose(again.encode_depth([picture]), bound.encode_depth([picture]), atol=1e-6)
    assert np.allclose(again.encode_text(["a cat"]), bound.encode_text(["a cat"]), atol=1e-6)


def trained(published, tmp_path):
    """Writes an encoder that starts from a published one, with adapters on top. Returns its folder."""
    from vidal.train import saved
    from vidal.train.opening import open_text_tower, open_tower
    from vidal.train.settings import Modality, Train

    model = {"adapter": "clip", "id": str(published)}
    settings = Train.model_validate(
        {"text": model, "modalities": {"depth": {"model": model, "tuning": "lora", "lora": {"rank": 2}, "side": 32}}}
    )
    text = open_text_tower(settings.text)
    tower = open_tower(Modality.DEPTH, settings.modalities[Modality.DEPTH], text.width)
    for name, weight in tower.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.2)
    saved.save(tmp_path / "own", {Modality.DEPTH: tower}, settings, text)
    return tmp_path / "own"


def test_training_starts_from_a_published_encoder_and_from_an_own_one(depth, tmp_path):
    from vidal.train.opening import open_tower
    from vidal.train.settings import Encoder, Modality

    pixels = torch.randn(2, 3, 32, 32)
    published = load_encoder(depth[0])._towers[Modality.DEPTH]
    own = load_encoder(trained(depth[0], tmp_path))._towers[Modality.DEPTH]
    for folder, tower in ((depth[0], published), (tmp_path / "own", own)):
        settings = Encoder.model_validate({"model": {"adapter": "clip", "id": str(folder)}, "tuning": "lora"})
        start = open_tower(Modality.DEPTH, settings, WIDTH).eval()
        with torch.no_grad():
            assert torch.allclose(start(pixels), tower(pixels), atol=1e-5)
        assert any("lora" in name and weight.requires_grad for name, weight in start.named_parameters())
        with pytest.raises(UserError, match="for depth, not for audio"):
            open_tower(Modality.AUDIO, settings, WIDTH)
    assert not torch.allclose(published(pixels), own(pixels), atol=1e-3)


@pytest.mark.parametrize(("adapter", "width"), [("open_clip", WIDTH), ("efficientnet", 384)])
def test_a_published_encoder_is_no_start_for_a_tower_of_another_kind(depth, adapter, width):
    from vidal.train.opening import open_tower
    from vidal.train.settings import Encoder, Modality

    settings = Encoder.model_validate({"model": {"adapter": adapter, "id": str(depth[0])}})
    with pytest.raises(UserError, match=r"has a tower of adapter clip: set model\.adapter to clip"):
        open_tower(Modality.DEPTH, settings, width)


def test_adapters_are_no_start_where_the_folder_calls_itself_a_clip(depth):
    """Training would begin with random tensors in place of the weights that adapters adapt."""
    from vidal.train.opening import open_tower
    from vidal.train.settings import Encoder, Modality

    folder, _ = depth
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "clip"}))
    settings = Encoder.model_validate({"model": {"adapter": "clip", "id": str(folder)}})
    with pytest.raises(UserError, match=r"weights are missing: vision_model.encoder.layers.0"):
        open_tower(Modality.DEPTH, settings, WIDTH)


def test_clip_of_transformers_reads_an_exported_encoder(depth, tmp_path):
    from vidal.train.export import export_encoder

    folder = trained(depth[0], tmp_path)
    export_encoder(folder, tmp_path / "out", "transformers")
    model = transformers.CLIPModel.from_pretrained(tmp_path / "out" / "depth").eval()
    tower = load_encoder(folder)._towers[next(iter(load_encoder(folder)._towers))]
    pixels = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        assert np.allclose(features(model, pixels), F.normalize(tower(pixels), dim=-1).numpy(), atol=1e-5)


def test_a_video_is_exported_with_its_time_and_not_to_clip_of_transformers(tmp_path):
    from vidal.train.export import export_encoder

    folder, _, _ = video_folder(tmp_path, 1)
    export_encoder(folder, tmp_path / "out", "languagebind")
    pixels = torch.randn(1, 4, 3, 32, 32)
    one, other = (next(iter(load_encoder(each)._towers.values())) for each in (folder, tmp_path / "out" / "video"))
    with torch.no_grad():
        assert torch.allclose(one(pixels), other(pixels), atol=1e-6)
    with pytest.raises(UserError, match="cannot hold a tower for video"):
        export_encoder(folder, tmp_path / "other", "transformers")


def test_encoders_that_were_trained_apart_encode_together(depth, tmp_path):
    """Their language towers are compared by what they say of two texts."""
    folder, _, _ = video_folder(tmp_path, 1)
    pair = load_encoder([depth[0], folder])
    assert sorted(pair.modalities) == ["depth", "video"]
    picture = depth_picture(tmp_path / "d.png")
    assert np.allclose(pair.encode_depth([picture]), load_encoder(depth[0]).encode_depth([picture]), atol=1e-6)
    assert np.allclose(pair.encode_text(["a cat"]), load_encoder(folder).encode_text(["a cat"]), atol=1e-6)
    with pytest.raises(UserError, match="are both for depth"):
        load_encoder([depth[0], trained(depth[0], tmp_path)])
    state = torch.load(folder / "pytorch_model.bin", weights_only=True)
    torch.nn.init.normal_(state["text_projection.weight"])
    torch.save(state, folder / "pytorch_model.bin")
    with pytest.raises(UserError, match="different language towers"):
        load_encoder([depth[0], folder])
