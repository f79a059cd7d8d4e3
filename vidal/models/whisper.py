"""Transcribes speech with a speech-to-text model of transformers, such as Whisper, from a hub id or a local folder."""

from __future__ import annotations

import torch
from transformers import AutoModelForSpeechSeq2Seq, AutoProcessor

from vidal.config.base import ModelSpec
from vidal.media.arrays import Float32Array
from vidal.models.device import choose_device
from vidal.models.model_id import model_id
from vidal.models.weights import transformers_source


class TransformersSpeech:
    """A SpeechRecogniser. options: generate (arguments of the model's generate method, such as language)."""

    def __init__(self, spec: ModelSpec):
        self._device = choose_device(spec.device)
        source, arguments = transformers_source(spec)
        self.name = model_id(spec)
        self._processor = AutoProcessor.from_pretrained(source, **arguments)
        self._model = AutoModelForSpeechSeq2Seq.from_pretrained(source, **arguments).to(self._device).eval()
        self._generate = {"do_sample": False, **spec.options.get("generate", {})}
        self.sample_rate = int(self._processor.feature_extractor.sampling_rate)

    @torch.inference_mode()
    def transcribe(self, samples: Float32Array) -> str:
        """Returns the words, on one line. samples: (n,) float32 in [-1, 1] at sample_rate; at most 30 s."""
        inputs = self._processor(samples, sampling_rate=self.sample_rate, return_tensors="pt").to(self._device)
        tokens = self._model.generate(inputs["input_features"], **self._generate)
        return " ".join(self._processor.batch_decode(tokens, skip_special_tokens=True)[0].split())
