"""The losses of the estimators.

Depth: the loss of relative inverse depth (Ranftl et al. 2019). Infrared: the losses of intensity, structure and edges.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

SCALES = 4


def depth_loss(estimate: Tensor, target: Tensor) -> Tensor:
    """Returns the mean loss of a batch: a weighted sum of three terms. The first two are those of Ranftl et al. (2019).

    1. The values are compared after each estimate and each target is standardised by its median and its mean absolute deviation.
    2. The gradients of the standardised values are compared, at four scales.
    3. The target is scaled: its farthest points become about 0, and its nearest points become about 1. The estimate is not changed. It is
       compared with the scaled target.

    estimate: (n, h, w). target: (n, h, w), inverse depth up to scale and shift, NaN where it is unknown.
    """
    known = ~target.isnan()
    residual = torch.where(known, standardise(estimate, known) - standardise(target, known), 0.0)
    anchor = torch.where(known, estimate - stretch(target), 0.0).abs()
    return _mean(residual.abs(), known) + 0.5 * gradient(residual, known) + 0.3 * _mean(anchor, known)


def infrared_loss(estimate: Tensor, target: Tensor) -> Tensor:
    """Returns the mean loss of a batch: a weighted sum of the losses of intensity, structure (Wang et al. 2004) and edges.

    estimate, target: (n, h, w) in [0, 1]; target is NaN outside the picture.
    """
    known = ~target.isnan()
    filled = torch.where(known, target, estimate.detach())
    residual = torch.where(known, estimate - filled, 0.0)
    return _mean(residual.abs(), known) + 0.5 * (1 - ssim(estimate, filled)) + 0.5 * gradient(residual, known)


def standardise(values: Tensor, known: Tensor) -> Tensor:
    """Returns values minus their median, divided by their mean absolute deviation from the median, for each picture.

    values: (n, h, w). known: (n, h, w) bool; median and deviation are computed from these pixels.
    """
    flat = torch.where(known, values, torch.nan).flatten(1)
    median = flat.nanmedian(1).values[:, None, None]
    deviation = (flat - median[:, :, 0]).abs().nanmean(1)[:, None, None]
    return (values - median) / deviation.clamp(min=1e-3)


def stretch(target: Tensor) -> Tensor:
    """Returns target with the 2nd percentile of each picture mapped to 0 and the 98th to 1. target: (n, h, w), NaN where unknown."""
    flat = target.flatten(1)
    low, high = (flat.nanquantile(q, 1)[:, None, None] for q in (0.02, 0.98))
    return (target - low) / (high - low).clamp(min=1e-6)


def gradient(residual: Tensor, known: Tensor) -> Tensor:
    """Returns the mean absolute difference of neighbouring residuals, summed over both directions and four scales.

    residual: (n, h, w). known: (n, h, w) bool; only pairs of known pixels count.
    """
    total = residual.new_zeros(())
    for step in (2**k for k in range(SCALES)):
        r, k = residual[:, ::step, ::step], known[:, ::step, ::step]
        total = total + _mean((r[:, :, 1:] - r[:, :, :-1]).abs(), k[:, :, 1:] & k[:, :, :-1])
        total = total + _mean((r[:, 1:] - r[:, :-1]).abs(), k[:, 1:] & k[:, :-1])
    return total


def ssim(a: Tensor, b: Tensor) -> Tensor:
    """Returns the mean structural similarity (Wang et al. 2004) in windows of 7 x 7. a, b: (n, h, w) in [0, 1]."""
    first, second = (F.avg_pool2d(x[:, None], 7, 1) for x in (a, b))
    aa, bb, ab = (F.avg_pool2d((x * y)[:, None], 7, 1) for x, y in ((a, a), (b, b), (a, b)))
    numerator = (2 * first * second + 0.01**2) * (2 * (ab - first * second) + 0.03**2)
    denominator = (first**2 + second**2 + 0.01**2) * (aa - first**2 + bb - second**2 + 0.03**2)
    return (numerator / denominator).mean()


def _mean(values: Tensor, known: Tensor) -> Tensor:
    return torch.where(known, values, 0.0).sum() / known.sum().clamp(min=1)
