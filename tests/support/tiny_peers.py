"""Small ImageBind, PE-AV and OpenCLIP with random weights: they test code, and no number that they give means anything."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

NAMES = Path(__file__).parents[1] / "evaluate" / "imagebind_weights.tsv"
Shapes = dict[str, tuple[int, ...]]
# Of a tiny ImageBind, by modality: what replaces the widths of the published file. Heads divide them.
_WIDTHS = {
    "vision": {1280: 32, 3840: 96, 5120: 128, 257: 5},
    "text": {1024: 32, 3072: 96, 4096: 128},
    "audio": {768: 24, 2304: 72, 3072: 96},
    "depth": {384: 16, 1152: 48, 1536: 64, 197: 5},
    "thermal": {768: 24, 2304: 72, 3072: 96, 197: 5},
    "imu": {512: 16, 1536: 48, 2048: 64},
}
_WIDTH = {1024: 32}


def imagebind_shapes(blocks_max: int | None = None) -> Shapes:
    """The shapes of the published file, by name. blocks_max: of a modality; None for all."""
    shapes: Shapes = {}
    for line in NAMES.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        name, text, count = line.split("\t")
        shape = () if text == "scalar" else tuple(map(int, text.split("x")))
        for block in range(min(int(count), blocks_max or int(count))):
            shapes[name.replace("*", str(block))] = shape
    return shapes


def imagebind_state(full_size: bool = False) -> dict[str, torch.Tensor]:
    """Weights with the published names, of two blocks a modality. full_size: whether pictures are 224 pixels high, and not 28 or 32."""
    random, state = np.random.default_rng(0), {}
    for name, shape in imagebind_shapes(blocks_max=2).items():
        widths = {**_WIDTH, **_WIDTHS[name.split(".")[1]], **({257: 257, 197: 197} if full_size else {})}
        values = random.standard_normal([widths.get(size, size) for size in shape]) * 0.2
        is_scale = ".norm_" in name and name.endswith("weight")
        state[name] = torch.from_numpy(np.asarray(values + is_scale, np.float32))
    state["modality_preprocessors.text.mask"] = torch.full((77, 77), float("-inf")).triu(1)
    return state


def save_imagebind(path: Path, full_size: bool = False) -> str:
    torch.save(imagebind_state(full_size), path)
    return str(path)


OPEN_CLIP = {
    "embed_dim": 24,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 64, "patch_size": 16, "head_width": 32},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
}


def save_open_clip(folder: Path, seed: int = 0) -> tuple[str, Any]:
    """Returns the id of a small model of open_clip, whose architecture has a name, with a checkpoint; and the model."""
    import open_clip

    config = folder / "TinyPeer.json"
    config.write_text(json.dumps(OPEN_CLIP))
    open_clip.add_model_config(config)
    torch.manual_seed(seed)
    model = open_clip.create_model("TinyPeer").eval()
    torch.save({"state_dict": model.state_dict()}, folder / "epoch_1.pt")
    return f"TinyPeer/{folder}/epoch_1.pt", model


def save_pe_av(folder: Path, tokenizer: Any) -> Any:
    """Saves a small PE-AV, which reads three frames of a video. tokenizer: of at most 100 words."""
    import transformers as tf

    encoder = {
        "hidden_size": 32,
        "intermediate_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "head_dim": 16,
    }
    codec = {"encoder_hidden_size": 4, "downsampling_ratios": [2, 8, 10, 12], "codebook_dim": 4, "hidden_size": 64}
    vision = {"model_type": "timm_wrapper", "architecture": "vit_pe_core_tiny_patch16_384", "do_pooling": True, "num_classes": 16,
              "global_pool": "map", "model_args": {"embed_dim": 32, "depth": 1, "num_heads": 2, "img_size": 32}}  # fmt: skip
    text = {"model_type": "modernbert", "vocab_size": 100, "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1,
            "num_attention_heads": 2, "pad_token_id": 0, "cls_token_id": 1, "sep_token_id": 1, "bos_token_id": 1,
            "eos_token_id": 1}  # fmt: skip
    both = {
        **encoder,
        "audio_config": {**encoder, "dac_config": codec},
        "video_config": {**encoder, "vision_config": vision},
    }
    torch.manual_seed(0)
    model = tf.PeAudioVideoModel(tf.PeAudioVideoConfig(text_config=text, audio_video_config=both)).eval()
    with torch.no_grad():  # Otherwise all texts have nearly the same vector.
        for weights in model.parameters():
            weights *= 5 if weights.ndim > 1 else 1
    frames = tf.PeVideoVideoProcessor(
        size={"height": 32, "width": 32}, do_resize=True, do_rescale=True, do_normalize=True, image_mean=[0.5] * 3, image_std=[0.5] * 3,
        num_frames=3,
    )  # fmt: skip
    model.save_pretrained(folder)
    tf.PeAudioVideoProcessor(tf.PeAudioFeatureExtractor(), frames, tokenizer).save_pretrained(folder)
    return model
