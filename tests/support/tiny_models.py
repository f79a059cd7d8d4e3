"""Checkpoints of depth and infrared models and of CLIP that load quickly. Weights are random: they test code, not quality."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from vidal.config.base import ModelSpec
from vidal.models.munit import Generator

WORDS = ("a", "photo", "of", "cat", "dog", "piano")
SMALL_MUNIT = {"dim": 4, "style_dim": 3, "blocks": 1, "mlp_dim": 8}


def save_depth(kind: str, folder: Path, seed: int = 0) -> str:
    """Saves a checkpoint and returns its folder.

    kind: glpn, relative or metric (Depth Anything), dpt, dpt_dinov2, zoedepth, depth_pro or depth_pro_no_view.
    """
    torch.manual_seed(seed)
    model, processor = _BUILDERS[kind]()
    # Otherwise random heads return constants, and two adapters could not be told apart.
    with torch.no_grad():
        for name, weights in model.named_parameters():
            if "head" in name:
                weights.uniform_(0.01, 0.5)
    model.eval().save_pretrained(folder)
    processor.save_pretrained(folder)
    return str(folder)


def _glpn() -> tuple[Any, Any]:
    import transformers as tf

    config = tf.GLPNConfig(
        hidden_sizes=[8, 16, 24, 32], num_attention_heads=[1, 1, 2, 2], depths=[1, 1, 1, 1], decoder_hidden_size=8
    )
    return tf.GLPNForDepthEstimation(config), tf.GLPNImageProcessor()


def _dinov2(size: int, **more: Any) -> Any:
    import transformers as tf

    return tf.Dinov2Config(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, image_size=size, patch_size=14, mlp_ratio=2, **more
    )


def _depth_anything(kind: str) -> tuple[Any, Any]:
    import transformers as tf

    config = tf.DepthAnythingConfig(
        backbone_config=_dinov2(56, out_features=["stage1", "stage2"], reshape_hidden_states=False),
        reassemble_hidden_size=16,
        patch_size=14,
        neck_hidden_sizes=[8, 8],
        reassemble_factors=[2, 1],
        fusion_hidden_size=8,
        head_hidden_size=8,
        depth_estimation_type=kind,
        max_depth=20 if kind == "metric" else 1,
    )
    processor = tf.DPTImageProcessor(
        size={"height": 56, "width": 56}, ensure_multiple_of=14, keep_aspect_ratio=True, do_pad=False
    )
    return tf.DepthAnythingForDepthEstimation(config), processor


def _dpt(**more: Any) -> tuple[Any, Any]:
    import transformers as tf

    config = tf.DPTConfig(
        hidden_size=16,
        num_hidden_layers=4,
        num_attention_heads=2,
        intermediate_size=32,
        image_size=64,
        patch_size=16,
        backbone_out_indices=[0, 1, 2, 3],
        neck_hidden_sizes=[8, 8, 8, 8],
        fusion_hidden_size=256 if more.get("add_projection") else 8,
        use_auxiliary_head=False,
        **more,
    )
    return tf.DPTForDepthEstimation(config), tf.DPTImageProcessor(size={"height": 64, "width": 64})


def _zoedepth() -> tuple[Any, Any]:
    import transformers as tf

    backbone = tf.BeitConfig(
        hidden_size=16,
        num_hidden_layers=4,
        num_attention_heads=2,
        intermediate_size=32,
        image_size=64,
        patch_size=16,
        use_relative_position_bias=True,
        reshape_hidden_states=False,
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )
    config = tf.ZoeDepthConfig(
        backbone_config=backbone,
        neck_hidden_sizes=[8, 8, 8, 8],
        fusion_hidden_size=8,
        bottleneck_features=8,
        bin_embedding_dim=8,
        num_relative_features=8,
        num_attractors=[4, 2, 1, 1],
        bin_configurations=[{"n_bins": 8, "min_depth": 0.001, "max_depth": 10.0, "name": "nyu"}],
    )
    processor = tf.ZoeDepthImageProcessor(size={"height": 64, "width": 64}, ensure_multiple_of=16)
    return tf.ZoeDepthForDepthEstimation(config), processor


def _depth_pro(use_fov_model: bool) -> tuple[Any, Any]:
    import transformers as tf

    part = _dinov2(28).to_dict()
    config = tf.DepthProConfig(
        patch_size=28,
        image_model_config=part,
        patch_model_config=part,
        fov_model_config=part,
        fusion_hidden_size=16,
        intermediate_hook_ids=[1, 0],
        intermediate_feature_dims=[16, 16],
        scaled_images_feature_dims=[16, 16, 16],
        merge_padding_value=0,
        use_fov_model=use_fov_model,
    )
    processor = tf.DepthProImageProcessor(size={"height": 112, "width": 112})
    return tf.DepthProForDepthEstimation(config), processor


_BUILDERS = {
    "glpn": _glpn,
    "relative": lambda: _depth_anything("relative"),
    "metric": lambda: _depth_anything("metric"),
    "dpt": _dpt,
    "dpt_dinov2": lambda: _dpt(add_projection=True),
    "zoedepth": _zoedepth,
    "depth_pro": lambda: _depth_pro(True),
    "depth_pro_no_view": lambda: _depth_pro(False),
}


def save_munit(path: Path, change: Any = None, seed: int = 0, **options: Any) -> ModelSpec:
    """Saves a checkpoint in sRGB-TIR's layout and returns the spec that opens it. change: alters the two state dicts."""
    torch.manual_seed(seed)
    states = {key: Generator(**SMALL_MUNIT).state_dict() for key in ("a", "b")}
    if change:
        change(states)
    torch.save(states, path)
    options = {"generator": SMALL_MUNIT, "short_side": 32, **options}
    return ModelSpec(adapter="munit", id=str(path), device="cpu", options=options)


def clip(width: int, words: int = 600, ends: dict[str, int] | None = None, **vision: Any) -> Any:
    """Returns a CLIP of two layers. words: the size of its vocabulary; ends: the ids of its special tokens."""
    import transformers

    torch.manual_seed(0)
    text = {
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "vocab_size": words,
    }
    image = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32, "image_size": 32,
            "patch_size": 8}  # fmt: skip
    config = transformers.CLIPConfig(
        text_config={**text, **(ends or {})}, vision_config={**image, **vision}, projection_dim=width
    )
    return transformers.CLIPModel(config).eval()


def save_clip(folder: Path, width: int) -> str:
    """Saves a CLIP without a tokenizer and returns its folder."""
    clip(width).save_pretrained(folder)
    return str(folder)


def save_tokenizer(folder: Path) -> int:
    """Saves CLIP's tokenizer with a few words, and returns the size of its vocabulary. As in CLIP, the end of a text comes last in it."""
    tokens = [
        *(f"{word}</w>" for word in WORDS),
        *map(chr, range(97, 123)),
        *(f"{chr(k)}</w>" for k in range(97, 123)),
        "<|startoftext|>",
        "<|endoftext|>",
    ]
    vocabulary = {token: place for place, token in enumerate(dict.fromkeys(tokens))}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("#version: 0.2\no f</w>\n")
    return len(vocabulary)


def ends(words: int) -> dict[str, int]:
    """Returns the special tokens of save_tokenizer, for a text_config. words: what it returned."""
    return {"vocab_size": words, "bos_token_id": words - 2, "eos_token_id": words - 1, "pad_token_id": words - 1}
