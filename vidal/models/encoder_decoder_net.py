"""The network that turns a picture into a map of one channel.

The encoder is EfficientNet-Lite0 (Tan and Le 2019), and the decoder is made of separable convolutions with skip connections. The
network is small enough to be trained on two cores and to ship inside the package. The decoder is normalised by groups and not by
batches, because the statistics of photographs and of rendered pictures must not mix.
"""

from __future__ import annotations

import torch
from efficientnet_lite_pytorch import EfficientNet
from torch import Tensor, nn
from torch.nn import functional as F

# For each level, the index of the encoder's block that ends it, and its number of channels. The strides are 2, 4, 8, 16 and 32.
LEVELS = ((0, 16), (2, 24), (4, 40), (10, 112), (14, 192))
GROUPS = 8


class Separable(nn.Module):
    """A separable convolution: depthwise 5x5, pointwise, group norm, ReLU."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.depthwise = nn.Conv2d(inputs, inputs, 5, padding=2, groups=inputs, bias=False)
        self.pointwise = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.norm = nn.GroupNorm(GROUPS, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.norm(self.pointwise(self.depthwise(x))))


class Encoder(nn.Module):
    """Turns (n, 3, h, w) into one feature map per level, (n, c, h / stride, w / stride). The largest stride must divide h and w."""

    def __init__(self, levels: int):
        super().__init__()
        # The package pads for an input of 224 pixels, which is correct for every size that the strides divide.
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
    """Turns the encoder's maps into (n, 1, h, w).

    First, the mean of the deepest map over all pixels is projected and added to each pixel, as a hint about the kind of scene. Then
    the map is upsampled level by level, and joined with the encoder's map of each level.
    """

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
    """Turns (n, 3, h, w) float32, normalised for the encoder, into (n, h, w) float32.

    widths: the decoder's channels at each level, from stride 2 to the deepest. bounded: whether a sigmoid limits the output to 0..1;
    otherwise the output can be any number.
    """

    def __init__(self, widths: tuple[int, ...], bounded: bool):
        super().__init__()
        self.encoder = Encoder(len(widths))
        self.decoder = Decoder(widths)
        self._bounded = bounded

    def forward(self, x: Tensor) -> Tensor:
        values = self.decoder(self.encoder(x))[:, 0]
        output: Tensor = values.sigmoid() if self._bounded else values
        return output
