"""What the estimators are trained on: relative inverse depth (Ranftl et al. 2019), and infrared intensity with structure."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

SCALES = 4


def depth_loss(estimate: Tensor, target: Tensor) -> Tensor:
    """estimate: (n, h, w); target: (n, h, w) inverse depth up to scale and shift, NaN where unknown.

    Both sides are freed of median and mean absolute deviation, as Ranftl et al. do; gradients match at four scales. A
    third, small term wants nearest and farthest at 1 and 0, so that pictures of one clip come out alike.
    """
    known = ~target.isnan()
    wanted, standardised_estimate = standardised(target, known), standardised(estimate, known)
    residual = torch.where(known, standardised_estimate - wanted, 0.0)
    anchor = torch.where(known, estimate - stretched(target), 0.0).abs()
    return _mean(residual.abs(), known) + 0.5 * gradient(residual, known) + 0.3 * _mean(anchor, known)


def infrared_loss(estimate: Tensor, target: Tensor) -> Tensor:
    """estimate, target: (n, h, w) in [0, 1]; target NaN outside the picture. Intensity, structure (Wang et al. 2004), edges."""
    known = ~target.isnan()
    filled = torch.where(known, target, estimate.detach())
    residual = torch.where(known, estimate - filled, 0.0)
    return _mean(residual.abs(), known) + 0.5 * (1 - ssim(estimate, filled)) + 0.5 * gradient(residual, known)


def standardised(values: Tensor, known: Tensor) -> Tensor:
    """Per picture: minus the median, over the mean absolute deviation, of what is known."""
    flat = torch.where(known, values, torch.nan).flatten(1)
    median = flat.nanmedian(1).values[:, None, None]
    deviation = (flat - median[:, :, 0]).abs().nanmean(1)[:, None, None]
    return (values - median) / deviation.clamp(min=1e-3)


def stretched(target: Tensor) -> Tensor:
    """Per picture: the 2nd and the 98th percentile of what is known become 0 and 1."""
    flat = target.flatten(1)
    low, high = (flat.nanquantile(q, 1)[:, None, None] for q in (0.02, 0.98))
    return (target - low) / (high - low).clamp(min=1e-6)


def gradient(residual: Tensor, known: Tensor) -> Tensor:
    """Mean absolute difference of neighbouring residuals, summed over four scales."""
    total = residual.new_zeros(())
    for step in (2**k for k in range(SCALES)):
        r, k = residual[:, ::step, ::step], known[:, ::step, ::step]
        total = total + _mean((r[:, :, 1:] - r[:, :, :-1]).abs(), k[:, :, 1:] & k[:, :, :-1])
        total = total + _mean((r[:, 1:] - r[:, :-1]).abs(), k[:, 1:] & k[:, :-1])
    return total


def ssim(a: Tensor, b: Tensor) -> Tensor:
    """Mean structural similarity of (n, h, w) in [0, 1], windows of 7 x 7."""
    first, second = (F.avg_pool2d(x[:, None], 7, 1) for x in (a, b))
    aa, bb, ab = (F.avg_pool2d((x * y)[:, None], 7, 1) for x, y in ((a, a), (b, b), (a, b)))
    numerator = (2 * first * second + 0.01**2) * (2 * (ab - first * second) + 0.03**2)
    denominator = (first**2 + second**2 + 0.01**2) * (aa - first**2 + bb - second**2 + 0.03**2)
    return (numerator / denominator).mean()


def _mean(values: Tensor, known: Tensor) -> Tensor:
    return torch.where(known, values, 0.0).sum() / known.sum().clamp(min=1)
