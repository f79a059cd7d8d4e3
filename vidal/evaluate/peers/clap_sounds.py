"""Opens CLAP models of the library transformers (Wu et al. 2023), so that they can be compared with the encoders of vidal.

A sound that is longer than the model's window is cut into windows, whose vectors are averaged. CLAP's own processor would choose one
window at random.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from vidal.evaluate.peers.parts import PeerText, part_of
from vidal.evaluate.peers.transformers_models import WEIGHTS, open_model
from vidal.media.arrays import Float32Array
from vidal.models.clap import split_windows
from vidal.models.features import features_of
from vidal.train.loading import Part
from vidal.train.media_reader import MediaReader
from vidal.train.settings import Modality
from vidal.train.towers import ModalityTower


class ClapReader(MediaReader):
    """Reads sounds with CLAP's feature extractor."""

    def __init__(self, extractor: Any):
        self._extractor = extractor
        self.sample_rate, self._window = int(extractor.sampling_rate), int(extractor.nb_max_samples)

    def sound(self, samples: Float32Array) -> Float32Array:
        """Returns the spectrograms of the windows of a sound, (windows, channels, frames, mels) float32."""
        return np.stack([self._features(each) for each in split_windows(samples, self._window, self.sample_rate)])

    def _features(self, window: Float32Array) -> Float32Array:
        out = self._extractor([window], sampling_rate=self.sample_rate, return_tensors="pt")
        array: Float32Array = out["input_features"][0].float().numpy()
        return array


class ClapTower(ModalityTower):
    """The audio side of CLAP."""

    def __init__(self, model: Any, reader: MediaReader):
        super().__init__((0.0,) * 3, (1.0,) * 3)  # The reader normalises.
        self.model, self.reader = model, reader

    def forward(self, pixels: Tensor) -> Tensor:
        # CLAP's processor sets is_longer for every sound that it processes on its own.
        is_longer = torch.ones(len(pixels), 1, dtype=torch.bool, device=pixels.device)
        return features_of(self.model.get_audio_features(input_features=pixels, is_longer=is_longer))


def open_part(id_: str, device: torch.device) -> Part:
    """Opens a CLAP model.

    Raises UserError if the weights are unavailable, incomplete or of a wrong shape, or if the model is of another kind.
    """
    spec, model, processor = open_model("clap", id_, device)

    def embed_texts(texts: list[str]) -> Tensor:
        tokens = processor.tokenizer(texts, padding=True, truncation=True, return_tensors="pt").to(model.device)
        return features_of(model.get_text_features(**tokens))

    tower = ClapTower(model, ClapReader(processor.feature_extractor))
    return part_of(spec, {Modality.AUDIO: tower}, PeerText(spec, WEIGHTS, embed_texts))
