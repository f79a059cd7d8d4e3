"""EfficientNet-Lite0 (Tan and Le 2019) bound to a sentence encoder: a tower for every modality. It needs no download.

Before training, its output is that of ConSE (Norouzi et al. 2014): the mean of the embeddings of the class names, weighted by the
softmax of the classifier. So the output is meaningful from the start. Training can improve it through `head`, a linear layer on the
last features of the network. The output of `head` is initially zero, and is added to that of ConSE.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vidal.errors import UserError
from vidal.train.settings import Encoder, Modality
from vidal.train.towers import Architecture, ModalityTower
from vidal.train.towers.feature_cache import FeatureCache

FEATURES, CLASSES = 1280, 1000
MEAN, STD = (127 / 255,) * 3, (128 / 255,) * 3


class EfficientNetTower(ModalityTower):
    """EfficientNet whose output has the width of MiniLM.

    settings.tuning: full (all weights), head (the linear layers `classes` and `head`) or frozen (none). Batch norms keep their
    statistics, because batches are small.
    """

    def __init__(self, modality: Modality, settings: Encoder, width: int, architecture: Architecture | None):
        from vidal.models.classifier import Classifier
        from vidal.models.conse import class_embeddings
        from vidal.models.sentences import DIMENSIONS

        super().__init__(MEAN, STD)
        if width != DIMENSIONS:
            raise UserError(
                f"train.modalities.{modality.value}: adapter efficientnet needs a language tower of width {DIMENSIONS}: "
                "set adapter minilm in train.text"
            )
        if settings.tuning in ("lora", "attention") or settings.patch_dropout:
            raise UserError(
                f"train.modalities.{modality.value}: adapter efficientnet has no attention and no patches: "
                "set tuning to full, head or frozen, and patch_dropout to 0"
            )
        self.architecture = {"adapter": "efficientnet-lite0"}
        self.trunk = Classifier().net
        names = torch.from_numpy(class_embeddings().copy())
        self.classes = nn.Linear(CLASSES, width, bias=False)
        self.classes.weight.data = (names - names.mean(0)).T.contiguous()
        self.head = nn.Linear(FEATURES, width, bias=False)
        nn.init.zeros_(self.head.weight)
        self._tuned = settings.tuning
        self._cache = FeatureCache(self._trunk_features)
        if settings.tuning != "full":
            self.trunk.requires_grad_(False)
        if settings.tuning == "frozen":
            self.requires_grad_(False)
        self.train()

    def train(self, mode: bool = True) -> EfficientNetTower:
        """Sets the mode, but leaves the batch norms in evaluation mode."""
        super().train(mode)
        self.trunk.eval()
        return self

    def forward(self, pixels: Tensor) -> Tensor:
        if pixels.ndim == 5:
            frames = self.forward(pixels.flatten(0, 1))
            mean: Tensor = frames.unflatten(0, pixels.shape[:2]).mean(1)
            return mean
        features, zero_shot = self.embed_frames(pixels)
        output: Tensor = zero_shot + self.head(features)
        return output

    def _trunk_features(self, pixels: Tensor) -> Tensor:
        features: Tensor = self.trunk.extract_features(pixels).mean((2, 3))
        return features

    def embed_frames(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the features that the layer `head` takes, (n, FEATURES), and the output of ConSE, (n, width).

        pixels: (n, 3, h, w), normalised.
        """
        if self._tuned == "full":
            features = self._trunk_features(pixels)
        elif self.training and pixels.device.type == "cpu":
            features = self._cache(pixels)
        else:
            with torch.no_grad():
                features = self._trunk_features(pixels)
        return features, self.classes(self.trunk._fc(features).softmax(-1))
