"""Sounds and texts in one space, by CLAP (Wu et al., ICASSP 2023) of transformers: hub id or local folder."""

from __future__ import annotations

import numpy as np
import torch
from transformers import AutoProcessor, ClapModel

from vidal.config.base import ModelSpec
from vidal.models.device import choose_device
from vidal.models.model_id import model_id
from vidal.models.weights import transformers_source


class Clap:
    def __init__(self, spec: ModelSpec):
        self._device = choose_device(spec.device)
        source, arguments = transformers_source(spec)
        self.name = model_id(spec)
        self._processor = AutoProcessor.from_pretrained(source, **arguments)
        self._model = ClapModel.from_pretrained(source, **arguments).to(self._device).eval()
        self.sample_rate = int(self._processor.feature_extractor.sampling_rate)
        self._window = int(self._processor.feature_extractor.nb_max_samples)

    @torch.inference_mode()
    def embed_sound(self, samples: np.ndarray) -> np.ndarray:
        """samples: (n,) float32 in [-1, 1] at sample_rate. (d,) float32, L2-normalised.

        A sound longer than the model's window is cut into windows, and their vectors are averaged: the processor
        would take a random one.
        """
        windows = [samples[start : start + self._window] for start in range(0, len(samples), self._window)]
        windows = [each for each in windows if len(each) >= self.sample_rate] or windows[:1]
        mean = np.mean([self._one(each) for each in windows], axis=0)
        values: np.ndarray = mean / max(float(np.linalg.norm(mean)), 1e-12)
        return values

    def _one(self, samples: np.ndarray) -> np.ndarray:
        inputs = self._processor(audio=[samples], sampling_rate=self.sample_rate, return_tensors="pt").to(self._device)
        values: np.ndarray = _unit(self._model.get_audio_features(**inputs))[0]
        return values

    @torch.inference_mode()
    def embed_texts(self, texts: list[str]) -> np.ndarray:
        """(n, d) float32, L2-normalised."""
        inputs = self._processor(text=texts, padding=True, truncation=True, return_tensors="pt").to(self._device)
        return _unit(self._model.get_text_features(**inputs))


def _unit(features: object) -> np.ndarray:
    # Later versions of transformers wrap the features.
    tensor = features if isinstance(features, torch.Tensor) else features.pooler_output  # type: ignore[attr-defined]
    return torch.nn.functional.normalize(tensor.float(), dim=-1).cpu().numpy()
