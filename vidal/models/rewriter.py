"""Rewrites texts with any chat model of transformers, including GGUF files. Decoding is greedy, so a rewrite is the same every time."""

from __future__ import annotations

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from vidal.config.base import ModelSpec
from vidal.models.device import choose_device
from vidal.models.loading import computing
from vidal.models.protocols import Answer
from vidal.models.weights import revision_of, transformers_source

# Prompt lookup decoding: a rewrite repeats words of its prompt. So after each word, the tokens that follow it in the prompt, at most
# this many, are proposed, and the model keeps those that it would have chosen itself. The answer is the same, in fewer steps.
_PROPOSED_TOKENS = 5


class TransformersRewriter:
    """A Rewriter that runs a chat model of transformers on this machine.

    options: max_new_tokens (the most tokens of an answer; 40 by default).
    """

    def __init__(self, spec: ModelSpec):
        self._device = choose_device(spec.device)
        source, arguments = transformers_source(spec)
        self.name, self.revision = str(spec.id), revision_of(spec)
        self._tokenizer = AutoTokenizer.from_pretrained(source, **arguments)
        self._model = (
            AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32, **arguments).to(self._device).eval()
        )
        self._max_new_tokens = int(spec.options.get("max_new_tokens", 40))

    @torch.inference_mode()
    def rewrite(self, system: str, examples: list[tuple[str, str]], text: str) -> Answer:
        """Returns the model's answer to the text. system: the system prompt. examples: (question, answer), shown to the model first."""
        chat = [{"role": "system", "content": system}]
        for question, answer in examples:
            chat += [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
        chat.append({"role": "user", "content": text})
        with computing():
            return self._answer(chat)

    def _answer(self, chat: list[dict[str, str]]) -> Answer:
        inputs = self._tokenizer.apply_chat_template(
            chat, add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        inputs = inputs.to(self._device)
        generated = self._model.generate(
            **inputs,
            max_new_tokens=self._max_new_tokens,
            do_sample=False,
            prompt_lookup_num_tokens=_PROPOSED_TOKENS,
        )
        prompt_length = inputs["input_ids"].shape[1]
        answer = self._tokenizer.decode(generated[0, prompt_length:], skip_special_tokens=True).strip()
        return Answer(answer, tokens_in=prompt_length, tokens_out=generated.shape[1] - prompt_length)
