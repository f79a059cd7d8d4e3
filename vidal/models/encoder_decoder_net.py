"""A picture to a map of one channel: EfficientNet-Lite0 (Tan and Le 2019) as encoder, separable convolutions with skips as decoder.

Small enough to be trained on two cores and shipped inside the package. The decoder is normalised by groups, not by
batches: its pictures come from different worlds (a camera, a renderer), whose statistics must not mix.
"""

from __future__ import annotations

import torch
from efficientnet_lite_pytorch import EfficientNet
from torch import Tensor, nn
from torch.nn import functional as F

# The encoder's block that ends each level: strides 2, 4, 8, 16, 32, with their channels.
LEVELS = ((0, 16), (2, 24), (4, 40), (10, 112), (14, 192))
GROUPS = 8


class Separable(nn.Module):
    """Depthwise 5x5, pointwise, group norm, ReLU."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.depthwise = nn.Conv2d(inputs, inputs, 5, padding=2, groups=inputs, bias=False)
        self.pointwise = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.norm = nn.GroupNorm(GROUPS, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.norm(self.pointwise(self.depthwise(x))))


class Encoder(nn.Module):
    """(n, 3, h, w) to one map a level; h and w divisible by the last level's stride."""

    def __init__(self, levels: int):
        super().__init__()
        # The package pads for its own input size, 224: right for every size that its strides divide.
        whole = EfficientNet.from_name("efficientnet-lite0")
        self._ends = [block for block, _ in LEVELS[:levels]]
        self.stem, self.norm = whole._conv_stem, whole._bn0
        self.blocks = nn.ModuleList(whole._blocks[: self._ends[-1] + 1])

    def forward(self, x: Tensor) -> list[Tensor]:
        x = F.relu6(self.norm(self.stem(x)))
        maps = []
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in self._ends:
                maps.append(x)
        return maps


class Decoder(nn.Module):
    """From the deepest map upwards, at each level joined with the encoder's; the picture's mean feature tells what scene it is."""

    def __init__(self, widths: tuple[int, ...]):
        super().__init__()
        channels = [count for _, count in LEVELS[: len(widths)]]
        self.context = nn.Linear(channels[-1], widths[-1])
        self.deepest = Separable(channels[-1], widths[-1])
        self.joins = nn.ModuleList(
            Separable(deep + skip, wide)
            for deep, skip, wide in zip(widths[:0:-1], channels[-2::-1], widths[-2::-1], strict=True)
        )
        self.head = nn.Conv2d(widths[0], 1, 3, padding=1)

    def forward(self, maps: list[Tensor]) -> Tensor:
        x = self.deepest(maps[-1]) + self.context(maps[-1].mean((2, 3)))[:, :, None, None]
        for join, skip in zip(self.joins, maps[-2::-1], strict=True):
            x = F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
            x = join(torch.cat((x, skip), 1))
        return F.interpolate(self.head(x), scale_factor=2.0, mode="bilinear", align_corners=False)


class EncoderDecoder(nn.Module):
    """(n, 3, h, w) float, normalised as the encoder's, to (n, h, w). widths: the decoder's channels from stride 2 down.

    bounded: the output is squashed to (0, 1); else it is any number.
    """

    def __init__(self, widths: tuple[int, ...], bounded: bool):
        super().__init__()
        self.encoder = Encoder(len(widths))
        self.decoder = Decoder(widths)
        self._bounded = bounded

    def forward(self, x: Tensor) -> Tensor:
        made = self.decoder(self.encoder(x))[:, 0]
        output: Tensor = made.sigmoid() if self._bounded else made
        return output
