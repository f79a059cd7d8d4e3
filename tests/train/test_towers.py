"""Towers: what they start as, what of them learns, and that they come back from disk as they were."""

import json

import numpy as np
import pytest
import torch
import transformers
from PIL import Image
from safetensors.torch import load_file, save_file
from torch.nn import functional as F

from tests.support.tiny_models import save_clip
from vidal import load_encoder
from vidal.config.base import ModelSpec
from vidal.errors import UserError
from vidal.models.registry import SCORERS, open_model
from vidal.train import inputs, saved
from vidal.train.opening import open_text_tower, open_tower
from vidal.train.settings import Encoder, Modality, Train
from vidal.train.towers.embeddings import resize_positions

WIDTH = 12
NAMES = ("q_proj", "k_proj", "v_proj", "out_proj")


@pytest.fixture(scope="module")
def tiny_clip(tmp_path_factory):
    """Random weights, to judge code paths with."""
    return save_clip(tmp_path_factory.mktemp("clip"), WIDTH)


def clip(tiny_clip, modality=Modality.IMAGE, **options):
    return open_tower(
        modality, Encoder(model=ModelSpec(adapter="clip", id=tiny_clip), side=32, frames=4, **options), WIDTH
    )


def learns(tower):
    return {name for name, weight in tower.named_parameters() if weight.requires_grad}


def test_a_clip_tower_that_learned_nothing_gives_transformers_own_features(tiny_clip):
    pixels = torch.randn(3, 3, 32, 32)
    own = transformers.CLIPModel.from_pretrained(tiny_clip).eval()
    features = own.get_image_features(pixels)
    expected = getattr(features, "pooler_output", features)
    for options in ({"tuning": "full"}, {"tuning": "lora"}):
        made = clip(tiny_clip, **options).eval()(pixels)
        assert torch.allclose(made, expected, atol=1e-5)


def test_lora_frees_what_languagebind_frees_and_nothing_else(tiny_clip):
    layers = [f"vision_model.encoder.layers.{i}" for i in (0, 1)]
    beside = {
        "vision_model.embeddings.class_embedding",
        "vision_model.post_layernorm.weight",
        "vision_model.post_layernorm.bias",
        "visual_projection.weight",
    }

    def adapters(where):
        return {f"{layer}.{where}.{name}.lora_{ab}.default.weight" for layer in layers for name in NAMES for ab in "AB"}

    picture = clip(tiny_clip, tuning="lora", lora={"rank": 2})
    assert learns(picture) == beside | adapters("self_attn")
    assert sum(w.numel() for n, w in picture.named_parameters() if "lora" in n) == 2 * 4 * 2 * (16 + 16)
    time = {
        f"{layer}.{name}"
        for layer in layers
        for name in ("temporal_embedding", "temporal_layer_norm1.weight", "temporal_layer_norm1.bias")
    }
    assert learns(clip(tiny_clip, Modality.VIDEO, tuning="lora")) == beside | adapters("temporal_attn") | time
    assert learns(clip(tiny_clip, tuning="frozen")) == set()
    attention = {f"{layer}.{{}}.{name}.{kind}" for layer in layers for name in NAMES for kind in ("weight", "bias")}
    assert learns(clip(tiny_clip, tuning="attention")) == beside | {each.format("self_attn") for each in attention}
    assert learns(clip(tiny_clip, Modality.VIDEO, tuning="attention")) == (
        beside | time | {each.format("temporal_attn") for each in attention}
    )
    assert learns(clip(tiny_clip, tuning="head")) == beside - {"vision_model.embeddings.class_embedding"}


def test_frozen_weights_keep_their_bytes_through_steps(tiny_clip):
    tower = clip(tiny_clip, Modality.VIDEO, tuning="lora", patch_dropout=0.5).train()
    before = {name: weight.detach().clone() for name, weight in tower.named_parameters()}
    optimiser = torch.optim.AdamW([w for w in tower.parameters() if w.requires_grad], lr=0.1, weight_decay=0.2)
    for _ in range(3):
        optimiser.zero_grad()
        tower(torch.randn(2, 4, 3, 32, 32)).square().sum().backward()
        optimiser.step()
    changed = {name for name, weight in tower.named_parameters() if not torch.equal(weight, before[name])}
    assert changed == learns(tower)


def test_time_starts_as_a_copy_of_space(tiny_clip):
    tower = clip(tiny_clip, Modality.VIDEO, tuning="full")
    for layer in tower.vision_model.encoder.layers:
        pairs = zip(layer.temporal_attn.parameters(), layer.self_attn.parameters(), strict=True)
        assert all(torch.equal(a, b) for a, b in pairs)
        assert layer.temporal_embedding.shape == (1, 4, 16)


def test_a_video_is_the_mean_over_its_frames_where_time_adds_nothing(tiny_clip):
    """With the temporal branch switched off, each frame is a picture; with it on, the order of frames counts."""
    tower, picture = clip(tiny_clip, Modality.VIDEO, tuning="full").eval(), clip(tiny_clip, tuning="full").eval()
    pixels = torch.randn(2, 4, 3, 32, 32)
    assert not torch.allclose(tower(pixels), tower(pixels.flip(1)), atol=1e-4)
    with torch.no_grad():
        for layer in tower.vision_model.encoder.layers:
            layer.temporal_embedding.zero_()
            layer.temporal_attn.out_proj.weight.zero_()
            layer.temporal_attn.out_proj.bias.zero_()
    # CLIP's last norm and projection come after the choice of the class token, frame by frame.
    frames = picture(pixels.flatten(0, 1)).unflatten(0, (2, 4)).mean(1)
    assert torch.allclose(tower(pixels), frames, atol=1e-5)


def test_activations_computed_again_give_the_same_gradients(tiny_clip):
    pixels, found = torch.randn(2, 3, 32, 32), []
    for again in (False, True):
        tower = clip(tiny_clip, tuning="full").train()
        if again:
            tower.checkpoint_activations()
        tower(pixels).square().sum().backward()
        found.append([weight.grad for weight in tower.parameters() if weight.grad is not None])
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(*found, strict=True))


def test_positions_are_interpolated_for_a_sounds_picture(tiny_clip):
    assert clip(tiny_clip, Modality.AUDIO, tuning="lora")(torch.randn(2, 3, 16, 64)).shape == (2, WIDTH)


def test_a_tower_that_does_not_fit_the_language_tower_is_refused(tiny_clip):
    with pytest.raises(UserError, match="have width 12, but those of the language tower have width 384"):
        open_tower(Modality.IMAGE, Encoder(model=ModelSpec(adapter="clip", id=tiny_clip)), 384)
    with pytest.raises(UserError, match="no attention and no patches"):
        open_tower(Modality.IMAGE, Encoder(tuning="lora"), 384)
    with pytest.raises(UserError, match="no such file"):
        clip("/nowhere/clip")
    with pytest.raises(UserError, match="choose from efficientnet"):
        open_tower(Modality.IMAGE, Encoder(model=ModelSpec(adapter="resnet")), 384)


def test_a_clip_without_a_layer_is_refused_by_the_names_of_its_weights(tmp_path):
    save_clip(tmp_path, WIDTH)
    state = load_file(tmp_path / "model.safetensors")
    kept = {name: value for name, value in state.items() if "vision_model.encoder.layers.1." not in name}
    save_file(kept, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(UserError, match=r"weights are missing: vision_model.encoder.layers.1"):
        clip(str(tmp_path))


def test_positions_of_a_sound_start_as_languagebinds_resized_ones(tiny_clip):
    """Its resize_pos: bicubic, with antialiasing, from the square of the picture to mel x time."""
    fbank = {"mel_bins": 16, "frames": 64}
    tower = clip(tiny_clip, Modality.AUDIO, tuning="lora", fbank=fbank)
    own = transformers.CLIPModel.from_pretrained(tiny_clip).vision_model.embeddings.position_embedding.weight
    square = own[1:].reshape(1, 4, 4, -1).permute(0, 3, 1, 2)
    wide = F.interpolate(square, size=[2, 8], mode="bicubic", antialias=True, align_corners=False)
    expected = torch.cat([own[:1], wide.permute(0, 2, 3, 1).reshape(16, -1)])
    assert torch.allclose(tower.vision_model.embeddings.position_embedding.weight, expected, atol=1e-6)


def test_open_clips_tower_gives_open_clips_features(tmp_path):
    import open_clip

    torch.manual_seed(0)
    model = open_clip.create_model("ViT-S-32-alt")
    path = tmp_path / "weights.pt"
    torch.save(model.state_dict(), path)
    spec = ModelSpec(adapter="open_clip", id=f"ViT-S-32-alt/{path}")
    width = model.visual.output_dim
    tower = open_tower(Modality.VIDEO, Encoder(model=spec, tuning="full"), width).eval()
    pixels = torch.randn(2, 3, 3, 224, 224)
    expected = model.eval().encode_image(pixels.flatten(0, 1)).unflatten(0, (2, 3)).mean(1)
    assert torch.allclose(tower(pixels), expected, atol=1e-5)
    head = open_tower(Modality.IMAGE, Encoder(model=spec, tuning="head"), width)
    assert 0 < len(learns(head)) < len(dict(head.named_parameters()))
    with pytest.raises(UserError, match="has no tuning lora"):
        open_tower(Modality.IMAGE, Encoder(model=spec, tuning="lora"), width)


def test_open_clips_tower_for_sounds_has_their_size(tmp_path):
    """Saved and loaded, too. Its positions start as open_clip resizes those of the square."""
    import open_clip

    torch.manual_seed(0)
    model = open_clip.create_model("ViT-S-32-alt")
    torch.save(model.state_dict(), tmp_path / "weights.pt")
    settings = Encoder.model_validate(
        {
            "model": {"adapter": "open_clip", "id": f"ViT-S-32-alt/{tmp_path / 'weights.pt'}"},
            "fbank": {"mel_bins": 64, "frames": 256},
        }
    )
    width = model.visual.output_dim
    tower = open_tower(Modality.AUDIO, settings, width).eval()
    sounds = torch.randn(2, 3, 64, 256)
    assert tower.visual.image_size == (64, 256) and tower(sounds).shape == (2, width)
    expected = resize_positions(model.visual.positional_embedding, [7, 7], [2, 8])
    assert torch.allclose(tower.visual.positional_embedding, expected, atol=1e-6)
    again = open_tower(Modality.AUDIO, settings, width, tower.architecture).eval()
    again.load_state_dict(tower.state_dict())
    assert torch.equal(again(sounds), tower(sounds))


def test_the_offline_tower_starts_as_conse():
    from skimage import data

    picture = Image.fromarray(data.chelsea())
    spec = ModelSpec(adapter="conse")
    pixels = torch.from_numpy(inputs.square_array(picture, 224))[None]
    tower = open_tower(Modality.IMAGE, Encoder(tuning="head"), 384).eval()
    with torch.inference_mode():
        made = F.normalize(tower(inputs.normalise(Modality.IMAGE, pixels, tower.mean, tower.std)), dim=-1).numpy()
    assert (
        made @ open_model(SCORERS, spec).embed_images([picture]).T
    ).item() > 0.95  # conse crops 224 of 256, the tower all of 224.
    texts = open_text_tower(ModelSpec(adapter="minilm")).encode(["a cat", "a motorcycle", "a cup of coffee"]).numpy()
    assert (made @ texts.T).argmax() == 0
    assert learns(tower) == {"classes.weight", "head.weight"}


@pytest.fixture
def written(tmp_path):
    settings = Train.model_validate(
        {"modalities": {"image": {"side": 64, "tuning": "head"}, "video": {"side": 64, "frames": 2}}}
    )
    text = open_text_tower(settings.text)
    torch.manual_seed(1)
    towers = {modality: open_tower(modality, each, text.width) for modality, each in settings.modalities.items()}
    for tower in towers.values():
        torch.nn.init.normal_(tower.head.weight, std=0.1)
    saved.save(tmp_path / "encoder", towers, settings, text)
    for k in range(3):
        Image.effect_noise((80, 60), 20 + 60 * k).save(tmp_path / f"{k}.png")
    return tmp_path, towers


def test_an_encoder_comes_back_as_it_was(written):
    folder, towers = written
    bound = load_encoder(folder / "encoder")
    paths = [folder / f"{k}.png" for k in range(3)]
    pixels = torch.from_numpy(np.stack([inputs.read_image(path, 64) for path in paths]))
    tower = towers[Modality.IMAGE].eval()
    with torch.inference_mode():
        expected = F.normalize(tower(inputs.normalise(Modality.IMAGE, pixels, tower.mean, tower.std)), dim=-1)
    assert np.allclose(bound.encode_image(paths), expected.numpy(), atol=1e-6)
    assert bound.encode_video([paths, paths[:1]]).shape == (2, 384)
    assert bound.modalities == ["image", "video"]
    with pytest.raises(UserError, match="not for depth"):
        bound.encode_depth(paths)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("lacks", "missing weights: image.head.weight"),
        ("holds", "unknown weights: image.surplus"),
        ("shape", "another shape: image.head.weight"),
        ("stranger", "modalities that config.json does not name: sonar.x"),
    ],
)
def test_an_encoder_with_a_wrong_weight_is_refused_by_its_name(written, change, said):
    folder, _ = written
    path = folder / "encoder" / saved.WEIGHTS
    state = load_file(path)
    if change == "lacks":
        del state["image.head.weight"]
    elif change == "shape":
        state["image.head.weight"] = torch.zeros(3, 3)
    else:
        state["image.surplus" if change == "holds" else "sonar.x"] = torch.zeros(1)
    save_file(state, path)
    with pytest.raises(UserError, match=said):
        load_encoder(folder / "encoder")


def test_what_is_no_encoder_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"config.json cannot be read"):
        load_encoder(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"format": 99}))
    with pytest.raises(UserError, match="format 99"):
        load_encoder(tmp_path)


def test_depth_is_read_as_the_papers_loader_reads_it(tmp_path):
    millimetres = np.full((40, 60), 2500, np.uint16)
    millimetres[:, :30] = 20_000
    Image.fromarray(millimetres).save(tmp_path / "metric.png")
    found = inputs.read_depth(tmp_path / "metric.png", 40, "metric")
    assert found.shape == (1, 40, 40) and found[0, 20, 0] == 1.0 and found[0, 20, -1] == pytest.approx(0.25, abs=1e-3)
    inverse = inputs.read_depth(tmp_path / "metric.png", 40, "inverse_relative")
    assert inverse[0, 20, 0] == pytest.approx(1 - 20_000 / 65535, abs=1e-3)
    pixels = inputs.normalise(Modality.DEPTH, torch.from_numpy(found)[None], torch.zeros(3), torch.ones(3))
    assert pixels.shape == (1, 3, 40, 40) and pixels.dtype == torch.float32


def test_a_long_sound_gives_its_beginning_middle_and_end_and_a_short_one_is_filled(tmp_path):
    from vidal.media.sound import write_flac
    from vidal.train.settings import Fbank

    time = np.arange(16_000 * 3) / 16_000
    tones = np.concatenate([np.sin(2 * np.pi * hertz * time) for hertz in (300, 1200, 4800)])
    write_flac((tones * 20_000).astype(np.int16), 16_000, tmp_path / "long.flac")
    found = inputs.read_sound(tmp_path / "long.flac", Fbank(mel_bins=64, frames=200)).astype(np.float32)
    assert found.shape == (3, 64, 200)
    peaks = found.mean(2).argmax(1)
    assert peaks[0] < peaks[1] < peaks[2]
    write_flac((tones[:16_000] * 20_000).astype(np.int16), 16_000, tmp_path / "short.flac")
    padded = inputs.read_sound(tmp_path / "short.flac", Fbank(mel_bins=64, frames=200))
    assert (padded[:, :, 98:] == 0).all() and (padded[:, :, 97] != 0).any()
    tiled = inputs.read_sound(tmp_path / "short.flac", Fbank(mel_bins=64, frames=200, fill="tile"))
    assert np.array_equal(tiled[0, :, 98:196], tiled[0, :, :98]) and np.array_equal(tiled[0], tiled[2])
