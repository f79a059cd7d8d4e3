"""The MUNIT generator (Huang et al. 2018), an implementation of our own that loads sRGB-TIR's checkpoints (Lee et al. 2023).

The content encoder is a 7x7 convolution, two convolutions of stride 2 and residual blocks, all with instance norm. The style is a
vector of 8 numbers that an MLP turns into the AdaIN parameters of the decoder's residual blocks. The decoder is made of residual
blocks, two nearest-neighbour upsamplings with 5x5 convolutions and layer norm, and a 7x7 convolution with tanh.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class AdaIN(nn.Module):
    """Instance norm whose scale and shift are assigned before each call. Its buffers are unused, but are in published checkpoints."""

    def __init__(self, channels: int):
        super().__init__()
        self.channels = channels
        self.weight: Tensor | None = None
        self.bias: Tensor | None = None
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        if self.weight is None or self.bias is None:
            raise RuntimeError(
                "the AdaIN layers have no scale and shift yet: call Generator.decode, which assigns them"
            )
        normal = F.instance_norm(x, eps=1e-5)
        shape = (x.shape[0], self.channels, 1, 1)
        return normal * self.weight.reshape(shape) + self.bias.reshape(shape)


class LayerNorm(nn.Module):
    """Normalises each sample over its channels and pixels, with a scale and shift per channel. Divides by std + eps, as MUNIT does."""

    def __init__(self, channels: int):
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(channels))
        self.beta = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        flat = x.flatten(1)
        mean, std = flat.mean(1)[:, None, None, None], flat.std(1)[:, None, None, None]
        return (x - mean) / (std + 1e-5) * self.gamma[None, :, None, None] + self.beta[None, :, None, None]


class ConvBlock(nn.Module):
    """Reflection padding, convolution, norm and activation."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, padding: int, norm: str, activation: str):
        super().__init__()
        self.pad = nn.ReflectionPad2d(padding)
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, bias=True)
        norms = {
            "in": lambda: nn.InstanceNorm2d(outputs),
            "ln": lambda: LayerNorm(outputs),
            "adain": lambda: AdaIN(outputs),
        }
        self.norm = norms[norm]() if norm != "none" else None  # type: ignore[no-untyped-call]  # torch
        self.activation = {"relu": nn.ReLU(), "tanh": nn.Tanh(), "none": nn.Identity()}[activation]

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(self.pad(x))
        output: Tensor = self.activation(self.norm(x) if self.norm is not None else x)
        return output


class ResBlock(nn.Module):
    """A residual block of two 3x3 convolutions."""

    def __init__(self, channels: int, norm: str):
        super().__init__()
        self.model = nn.Sequential(
            ConvBlock(channels, channels, 3, 1, 1, norm, "relu"), ConvBlock(channels, channels, 3, 1, 1, norm, "none")
        )

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = x + self.model(x)
        return output


class ResBlocks(nn.Module):
    """A sequence of residual blocks."""

    def __init__(self, count: int, channels: int, norm: str):
        super().__init__()
        self.model = nn.Sequential(*(ResBlock(channels, norm) for _ in range(count)))

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.model(x)
        return output


class StyleEncoder(nn.Module):
    """Turns pictures into style vectors. Translation never calls it, but the checkpoints contain its weights."""

    def __init__(self, inputs: int, dim: int, style_dim: int, downsamplings: int = 4):
        super().__init__()
        layers: list[nn.Module] = [ConvBlock(inputs, dim, 7, 1, 3, "none", "relu")]
        for step in range(downsamplings):
            wide = dim * 2 if step < 2 else dim
            layers.append(ConvBlock(dim, wide, 4, 2, 1, "none", "relu"))
            dim = wide
        self.model = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Conv2d(dim, style_dim, 1))

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.model(x)
        return output


class ContentEncoder(nn.Module):
    """Turns pictures into feature maps. Each downsampling halves height and width, so two of them give (h / 4, w / 4)."""

    def __init__(self, inputs: int, dim: int, downsamplings: int, blocks: int):
        super().__init__()
        layers: list[nn.Module] = [ConvBlock(inputs, dim, 7, 1, 3, "in", "relu")]
        for _ in range(downsamplings):
            layers.append(ConvBlock(dim, 2 * dim, 4, 2, 1, "in", "relu"))
            dim *= 2
        self.model = nn.Sequential(*layers, ResBlocks(blocks, dim, "in"))
        self.output_dim = dim

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.model(x)
        return output


class Decoder(nn.Module):
    """Turns feature maps into pictures, with the style applied by AdaIN."""

    def __init__(self, outputs: int, dim: int, upsamplings: int, blocks: int):
        super().__init__()
        layers: list[nn.Module] = [ResBlocks(blocks, dim, "adain")]
        for _ in range(upsamplings):
            layers += [nn.Upsample(scale_factor=2), ConvBlock(dim, dim // 2, 5, 1, 2, "ln", "relu")]
            dim //= 2
        self.model = nn.Sequential(*layers, ConvBlock(dim, outputs, 7, 1, 3, "none", "tanh"))

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.model(x)
        return output


class LinearBlock(nn.Module):
    """A linear layer, with or without ReLU."""

    def __init__(self, inputs: int, outputs: int, activation: str):
        super().__init__()
        self.fc = nn.Linear(inputs, outputs)
        self.activation = nn.ReLU() if activation == "relu" else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.activation(self.fc(x))
        return output


class Mlp(nn.Module):
    """Turns style vectors into the parameters of all AdaIN layers."""

    def __init__(self, inputs: int, outputs: int, dim: int):
        super().__init__()
        self.model = nn.Sequential(
            LinearBlock(inputs, dim, "relu"), LinearBlock(dim, dim, "relu"), LinearBlock(dim, outputs, "none")
        )

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.model(x.flatten(1))
        return output


class Generator(nn.Module):
    """The auto-encoder of one domain. Pictures are (n, 3, h, w) in [-1, 1], h and w divisible by 4."""

    def __init__(
        self,
        inputs: int = 3,
        dim: int = 64,
        style_dim: int = 8,
        downsamplings: int = 2,
        blocks: int = 4,
        mlp_dim: int = 256,
    ):
        super().__init__()
        self.style_dim = style_dim
        self.enc_style = StyleEncoder(inputs, dim, style_dim)
        self.enc_content = ContentEncoder(inputs, dim, downsamplings, blocks)
        self.dec = Decoder(inputs, self.enc_content.output_dim, downsamplings, blocks)
        self.mlp = Mlp(style_dim, sum(2 * module.channels for module in self._adains()), mlp_dim)

    def _adains(self) -> list[AdaIN]:
        return [module for module in self.dec.modules() if isinstance(module, AdaIN)]

    def encode(self, pictures: Tensor) -> Tensor:
        """Returns the content code, (n, c, h / 4, w / 4). pictures: (n, 3, h, w) in [-1, 1]."""
        output: Tensor = self.enc_content(pictures)
        return output

    def decode(self, content: Tensor, style: Tensor) -> Tensor:
        """Returns pictures, (n, 3, h, w) in [-1, 1]. content: (n, c, h / 4, w / 4). style: (n, style_dim, 1, 1)."""
        parameters = self.mlp(style)
        for module in self._adains():
            count = module.channels
            module.bias, module.weight = parameters[:, :count], parameters[:, count : 2 * count]
            parameters = parameters[:, 2 * count :]
        output: Tensor = self.dec(content)
        return output
