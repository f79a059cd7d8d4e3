"""Captioners and vision-language models of transformers: BLIP, GIT, Florence-2, BLIP-2, SmolVLM, Qwen-VL, InternVL."""

from __future__ import annotations

from typing import Any

import torch
from transformers import AutoModelForImageTextToText, AutoProcessor

from vidal.config.base import ModelSpec
from vidal.media.frames import sample_indices
from vidal.models.device import choose_device
from vidal.models.protocols import Images
from vidal.models.weights import revision_of, transformers_source

_TASKS = {"florence2": "<CAPTION>"}


class TransformersCaptioner:
    """A Captioner and SoundCaptioner that uses a model of transformers.

    A model with a chat template gets the stage's prompt. A model without a chat template cannot follow a prompt. It gets the text of the
    option `task`, such as "Question: ... Answer:" for BLIP-2. The default of `task` is "<CAPTION>" for Florence-2, and no text for other
    models. The option `generate` holds arguments of the model's method `generate`.
    """

    def __init__(self, spec: ModelSpec):
        self._device = choose_device(spec.device)
        source, arguments = transformers_source(spec)
        self.name, self.revision = str(spec.id), revision_of(spec)
        self._processor = AutoProcessor.from_pretrained(source, **arguments)
        self._model = AutoModelForImageTextToText.from_pretrained(source, **arguments).to(self._device).eval()
        self._generate = {"max_new_tokens": 60, "do_sample": False, **spec.options.get("generate", {})}
        self._task: str | None = spec.options.get("task", _TASKS.get(self._model.config.model_type))
        self._chats = getattr(self._processor, "chat_template", None) is not None

    imagines = True

    def caption_frames(self, images: Images, prompt: str) -> list[str]:
        """Returns one caption per picture."""
        return [self._ask([image], prompt) for image in images]

    def caption_video(self, images: Images, prompt: str) -> str:
        """Returns one caption for the pictures of a clip, in order.

        A model with a chat template sees all pictures. Other models see only the middle picture, except for GIT's video models, which see
        as many pictures as they were trained on.
        """
        if self._chats:
            return self._ask(images, prompt)
        indices = sample_indices(len(images), self._frame_count(), "scene")
        return self._ask([images[index] for index in indices], prompt)

    def caption_sound(self, images: Images, tags: list[str], prompt: str) -> str:
        """Returns a sentence that guesses the sound from the pictures alone, as in VIDAL-10M (Zhu et al. 2024). The tags are not used."""
        return self.caption_video(images, prompt)

    @torch.inference_mode()
    def _ask(self, images: Images, prompt: str) -> str:
        inputs = self._inputs(images, prompt).to(self._device)
        tokens = self._model.generate(**inputs, **self._generate)
        start = inputs["input_ids"].shape[1] if "input_ids" in inputs and not self._is_encoder_decoder() else 0
        text: str = self._processor.batch_decode(tokens[:, start:], skip_special_tokens=True)[0].strip()
        return text

    def _frame_count(self) -> int:
        return getattr(self._model.config, "num_image_with_embedding", None) or 1

    def _is_encoder_decoder(self) -> bool:
        return bool(getattr(self._model.config, "is_encoder_decoder", False))

    def _inputs(self, images: Images, prompt: str) -> Any:
        if not self._chats:
            text = {"text": self._task} if self._task else {}
            inputs = self._processor(images=images, return_tensors="pt", **text)
            if len(images) > 1:
                inputs["pixel_values"] = inputs["pixel_values"][None]
            return inputs
        content: list[dict[str, object]] = [{"type": "image", "image": image} for image in images]
        chat = [{"role": "user", "content": [*content, {"type": "text", "text": prompt}]}]
        return self._processor.apply_chat_template(
            chat, add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt"
        )
