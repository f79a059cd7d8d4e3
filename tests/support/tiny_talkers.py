"""Captioners and chat models of the classes that the recipes name. They load quickly, and their weights are random."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

_SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>",
            "<image>", "<fake_token_around_image>", "<global-img>", "<end_of_utterance>", "<row_1_col_1>")  # fmt: skip
_CHAT = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{% if m['content'] is string %}{{ m['content'] }}{% else %}"
    "{% for c in m['content'] %}{% if c['type'] == 'image' %}IMAGE{% else %}{{ c['text'] }}{% endif %}{% endfor %}{% endif %}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


_SIDE = {"height": 32, "width": 32}
_TOWER = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16, "image_size": 32,
          "patch_size": 16}  # fmt: skip


def save_blip(folder: Path) -> str:
    import transformers as tf

    tokenizer = _words()
    text = {"vocab_size": len(tokenizer), "hidden_size": 16, "encoder_hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
            "intermediate_size": 16, "bos_token_id": 5, "sep_token_id": 3, "pad_token_id": 0, "eos_token_id": 3}  # fmt: skip
    torch.manual_seed(0)
    model = tf.BlipForConditionalGeneration(tf.BlipConfig(text_config=text, vision_config=_TOWER))
    return _save(folder, model, tf.BlipProcessor(tf.BlipImageProcessor(size=_SIDE), tokenizer))


def save_git(folder: Path, frames: int | None = None) -> str:
    """Saves a GIT and returns its folder. frames: how many pictures a video model of GIT sees at once."""
    import transformers as tf

    tokenizer = _words()
    config = tf.GitConfig(
        vision_config=_TOWER, vocab_size=len(tokenizer), hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=16, bos_token_id=2, eos_token_id=3, pad_token_id=0, num_image_with_embedding=frames
    )  # fmt: skip
    torch.manual_seed(0)
    image = tf.CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=_SIDE)
    return _save(folder, tf.GitForCausalLM(config), tf.GitProcessor(image, tokenizer))


def save_blip2(folder: Path) -> str:
    import transformers as tf

    tokenizer = _tokenizer("<image>")
    processor = tf.Blip2Processor(tf.BlipImageProcessor(size=_SIDE), tokenizer, num_query_tokens=2)
    config = tf.Blip2Config(
        vision_config=_TOWER,
        qformer_config={"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16,
                        "encoder_hidden_size": 16, "vocab_size": 10},
        text_config={**_text(tokenizer), "model_type": "opt", "ffn_dim": 16, "word_embed_proj_dim": 16},
        num_query_tokens=2,
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
    )  # fmt: skip
    torch.manual_seed(0)
    return _save(folder, tf.Blip2ForConditionalGeneration(config), processor)


def save_florence2(folder: Path) -> str:
    import transformers as tf

    tokenizer = _tokenizer("<image>", {"image_token": "<image>"})
    tokenizer.bos_token = "<|im_start|>"
    image = tf.CLIPImageProcessor(size={"height": 64, "width": 64}, do_center_crop=False)
    image.image_seq_length = 5
    text = {
        "model_type": "bart", "vocab_size": len(tokenizer), "d_model": 16, "encoder_layers": 1, "decoder_layers": 1,
        "encoder_attention_heads": 2, "decoder_attention_heads": 2, "encoder_ffn_dim": 16, "decoder_ffn_dim": 16,
        "max_position_embeddings": 128, "pad_token_id": tokenizer.pad_token_id, "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id, "decoder_start_token_id": tokenizer.eos_token_id, "forced_eos_token_id": None,
    }  # fmt: skip
    vision = {"depths": [1] * 4, "embed_dim": [8] * 4, "num_heads": [1] * 4, "num_groups": [1] * 4, "window_size": 2,
              "projection_dim": 16}  # fmt: skip
    config = tf.Florence2Config(image_token_id=tokenizer.image_token_id, vision_config=vision, text_config=text)
    torch.manual_seed(0)
    return _save(folder, tf.Florence2ForConditionalGeneration(config), tf.Florence2Processor(image, tokenizer))


def save_internvl(folder: Path) -> str:
    import transformers as tf

    names = {"start_image_token": "<|vision_start|>", "end_image_token": "<|vision_end|>"}
    tokenizer = _tokenizer("<image>", {**names, "context_image_token": "<image>", "video_token": "<|video_pad|>"})
    side = {"height": 28, "width": 28}
    processor = tf.InternVLProcessor(
        tf.GotOcr2ImageProcessor(size=side, crop_to_patches=False), tokenizer, tf.InternVLVideoProcessor(size=side),
        image_seq_length=1, chat_template=tokenizer.chat_template
    )  # fmt: skip
    config = tf.InternVLConfig(
        vision_config={**_TOWER, "image_size": [28, 28], "patch_size": [14, 14]},
        text_config={**_text(tokenizer), "model_type": "qwen2"},
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        image_seq_length=1,
    )
    torch.manual_seed(0)
    return _save(folder, tf.InternVLForConditionalGeneration(config), processor)


def save_qwen_vl(folder: Path) -> str:
    import transformers as tf

    tokenizer = _tokenizer("<|vision_start|><|image_pad|><|vision_end|>")
    ids = {
        name: tokenizer.convert_tokens_to_ids(f"<|{name}|>")
        for name in ("image_pad", "video_pad", "vision_start", "vision_end")
    }
    config = tf.Qwen2VLConfig(
        text_config={
            **_text(tokenizer),
            "rope_parameters": {"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 1e4},
        },
        vision_config={
            "depth": 1,
            "embed_dim": 16,
            "hidden_size": 16,
            "num_heads": 2,
            "mlp_ratio": 2,
            "patch_size": 14,
        },
        image_token_id=ids["image_pad"],
        video_token_id=ids["video_pad"],
        vision_start_token_id=ids["vision_start"],
        vision_end_token_id=ids["vision_end"],
    )
    small = {"shortest_edge": 56 * 56, "longest_edge": 112 * 112}
    processor = tf.Qwen2VLProcessor(
        tf.Qwen2VLImageProcessor(size=small),
        tokenizer,
        tf.Qwen2VLVideoProcessor(size=small),
        chat_template=tokenizer.chat_template,
    )
    torch.manual_seed(0)
    return _save(folder, tf.Qwen2VLForConditionalGeneration(config), processor)


def save_smolvlm(folder: Path) -> str:
    import transformers as tf

    tokenizer = _tokenizer("<image>")
    config = tf.SmolVLMConfig(
        text_config={**_text(tokenizer), "model_type": "llama"},
        vision_config={
            "hidden_size": 16,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "intermediate_size": 16,
            "image_size": 28,
            "patch_size": 14,
        },
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        scale_factor=2,
        pad_token_id=tokenizer.pad_token_id,
    )
    image = tf.SmolVLMImageProcessor(
        size={"longest_edge": 28}, max_image_size={"longest_edge": 28}, do_image_splitting=False
    )
    video = tf.SmolVLMVideoProcessor(size={"longest_edge": 28}, max_image_size={"longest_edge": 28})
    processor = tf.SmolVLMProcessor(image, tokenizer, video, image_seq_len=1, chat_template=tokenizer.chat_template)
    torch.manual_seed(0)
    return _save(folder, tf.SmolVLMForConditionalGeneration(config), processor)


def save_chat(folder: Path) -> str:
    """Saves a model of the class of Qwen2.5-Instruct and returns its folder."""
    import transformers as tf

    tokenizer = _tokenizer("")
    torch.manual_seed(0)
    return _save(folder, tf.Qwen2ForCausalLM(tf.Qwen2Config(**_text(tokenizer))), tokenizer)


def _words() -> Any:
    import transformers as tf

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[DEC]", "a", "cat", "dog"]
    return tf.BertTokenizerFast(vocab={word: index for index, word in enumerate(words)})


def _text(tokenizer: Any) -> dict[str, Any]:
    return {"vocab_size": len(tokenizer), "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
            "num_key_value_heads": 2, "max_position_embeddings": 4096, "eos_token_id": tokenizer.eos_token_id,
            "bos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}  # fmt: skip


def _tokenizer(image: str, named: dict[str, str] | None = None) -> Any:
    """Returns a tokenizer of bytes. image: the text for a picture in a chat; named: special tokens that the processor knows by name."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer_of_bytes = Tokenizer(models.BPE(vocab={letter: index for index, letter in enumerate(letters)}, merges=[]))
    tokenizer_of_bytes.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer_of_bytes.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer_of_bytes,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        extra_special_tokens=named or {},
    )
    tokenizer.add_tokens(list(_SPECIAL), special_tokens=True)
    for name in {"image_token", "video_token"} - set(named or {}):
        setattr(tokenizer, name, image or None)
    tokenizer.fake_image_token, tokenizer.global_image_token = "<fake_token_around_image>", "<global-img>"
    tokenizer.chat_template = _CHAT.replace("IMAGE", image)
    return tokenizer


def _save(folder: Path, model: Any, processor: Any) -> str:
    model.eval().save_pretrained(folder)
    processor.save_pretrained(folder)
    return str(folder)
