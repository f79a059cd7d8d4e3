"""Embeds sounds and texts in one space with transformers' CLAP (Wu et al. 2023), from a hub id or a local folder."""

from __future__ import annotations

import numpy as np
import torch
from transformers import AutoProcessor, ClapModel

from vidal.config.base import ModelSpec
from vidal.media.arrays import Float32Array
from vidal.models.device import choose_device
from vidal.models.features import unit_features
from vidal.models.model_id import model_id
from vidal.models.strict_loading import from_pretrained
from vidal.models.text_batches import embed_in_batches
from vidal.models.weights import transformers_source


class Clap:
    """Embeds sounds and texts in one space with a CLAP model of transformers. A SoundScorer, see vidal.models.protocols."""

    def __init__(self, spec: ModelSpec):
        self._device = choose_device(spec.device)
        source, arguments = transformers_source(spec)
        self.name = model_id(spec)
        self._processor = AutoProcessor.from_pretrained(source, **arguments)
        self._model = from_pretrained(ClapModel, source, **arguments).to(self._device).eval()
        self.sample_rate = int(self._processor.feature_extractor.sampling_rate)
        self._window = int(self._processor.feature_extractor.nb_max_samples)

    @torch.inference_mode()
    def embed_sound(self, samples: Float32Array) -> Float32Array:
        """Returns (d,) float32, L2-normalised. samples: (n,) float32 in [-1, 1] at sample_rate.

        A sound that is longer than the model's window is cut into windows, and the vectors of the windows are averaged. (The processor of
        transformers would use only one window, chosen at random.)
        """
        windows = split_windows(samples, self._window, self.sample_rate)
        mean = np.mean([self._embed_window(window) for window in windows], axis=0)
        values: Float32Array = mean / max(float(np.linalg.norm(mean)), 1e-12)
        return values

    def _embed_window(self, samples: Float32Array) -> Float32Array:
        inputs = self._processor(audio=[samples], sampling_rate=self.sample_rate, return_tensors="pt").to(self._device)
        values: Float32Array = unit_features(self._model.get_audio_features(**inputs))[0]
        return values

    def embed_texts(self, texts: list[str]) -> Float32Array:
        """Returns (n, d) float32, L2-normalised."""
        return embed_in_batches(texts, self._embed_batch)

    @torch.inference_mode()
    def _embed_batch(self, texts: list[str]) -> Float32Array:
        inputs = self._processor(text=texts, padding=True, truncation=True, return_tensors="pt").to(self._device)
        return unit_features(self._model.get_text_features(**inputs))


def split_windows(samples: Float32Array, window: int, sample_rate: int) -> list[Float32Array]:
    """Cuts a sound, (n,), into windows of `window` samples. The last one holds the rest of the sound, so it may be shorter.

    If this rest is shorter than a second, it is left out, unless it is the whole sound.
    """
    windows = [samples[start : start + window] for start in range(0, len(samples), window)]
    return [each for each in windows if len(each) >= sample_rate] or windows[:1]
