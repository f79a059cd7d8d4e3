"""Captioners and chat models that load in no time, of the classes that the recipes name. Weights are random: plumbing alone is judged."""

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


def save_blip(folder: Path) -> str:
    import transformers as tf

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[DEC]", "a", "cat", "dog"]
    tokenizer = tf.BertTokenizerFast(vocab={word: index for index, word in enumerate(words)})
    text = {"vocab_size": len(words), "hidden_size": 16, "encoder_hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
            "intermediate_size": 16, "bos_token_id": 5, "sep_token_id": 3, "pad_token_id": 0, "eos_token_id": 3}  # fmt: skip
    vision = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16, "image_size": 32,
              "patch_size": 16}  # fmt: skip
    torch.manual_seed(0)
    model = tf.BlipForConditionalGeneration(tf.BlipConfig(text_config=text, vision_config=vision))
    return _save(folder, model, tf.BlipProcessor(tf.BlipImageProcessor(size={"height": 32, "width": 32}), tokenizer))


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
    """Qwen2's class, as Qwen2.5-Instruct is of."""
    import transformers as tf

    tokenizer = _tokenizer("")
    torch.manual_seed(0)
    return _save(folder, tf.Qwen2ForCausalLM(tf.Qwen2Config(**_text(tokenizer))), tokenizer)


def _text(tokenizer: Any) -> dict[str, Any]:
    return {"vocab_size": len(tokenizer), "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
            "num_key_value_heads": 2, "max_position_embeddings": 4096, "eos_token_id": tokenizer.eos_token_id,
            "bos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}  # fmt: skip


def _tokenizer(image: str) -> Any:
    """Bytes as tokens. image: what stands for a picture in the chat."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    made = Tokenizer(models.BPE(vocab={letter: index for index, letter in enumerate(letters)}, merges=[]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=made,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=list(_SPECIAL),
    )
    for name in ("image", "video"):
        setattr(tokenizer, f"{name}_token", image or None)
    tokenizer.fake_image_token, tokenizer.global_image_token = "<fake_token_around_image>", "<global-img>"
    tokenizer.chat_template = _CHAT.replace("IMAGE", image)
    return tokenizer


def _save(folder: Path, model: Any, processor: Any) -> str:
    model.eval().save_pretrained(folder)
    processor.save_pretrained(folder)
    return str(folder)
