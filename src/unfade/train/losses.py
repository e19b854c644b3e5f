"""Loss terms that several trainings share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn import functional as F

from unfade.models.efficientnet import LiteEncoder

_RADIUS, _SIGMA = 5, 1.5  # of SSIM's window, pixels
_STAGES = 5  # of the encoder: features at 1/2, 1/4, 1/8 and 1/16 of the resolution
_C1, _C2 = 0.01**2, 0.03**2  # K1, K2 of Wang et al. at data range 1


def spectral_l1(out: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference of the Fourier coefficients (MIMO-UNet, arXiv 2108.05054, Eq. 6).

    It keeps a network from settling on a blur.

    Args:
        out, target: (N, C, H, W), float32.
    """
    spectrum: Tensor = cast(Any, torch.fft).rfft2(out - target, norm="ortho")  # (N, C, H, W/2 + 1)
    return (spectrum.real.abs() + spectrum.imag.abs()).mean()


def dissimilarity(out: Tensor, target: Tensor) -> Tensor:
    """1 - SSIM, mean over pixels whose window lies inside (Wang et al. 2004, Eq. 13).

    Args:
        out, target: (N, C, H, W), float32, about [0, 1], at least 11 pixels a side.
    """
    channels = out.shape[1]
    offsets = torch.arange(-_RADIUS, _RADIUS + 1, dtype=out.dtype, device=out.device)
    taps = (-offsets.square() / (2 * _SIGMA**2)).exp()
    taps = (taps / taps.sum()).repeat(5 * channels, 1, 1, 1)  # (5C, 1, 1, 11)
    x = torch.cat([out, target, out * out, target * target, out * target], 1)  # (N, 5C, H, W)
    with torch.autocast(x.device.type, enabled=False):  # variances are small differences
        x = F.conv2d(F.conv2d(x, taps, groups=5 * channels), taps.mT, groups=5 * channels)
    mean_x, mean_y, xx, yy, xy = x.chunk(5, 1)  # (N, C, H - 10, W - 10) each
    luminance = (2 * mean_x * mean_y + _C1) / (mean_x.square() + mean_y.square() + _C1)
    spread = xx - mean_x.square() + yy - mean_y.square()
    structure = (2 * (xy - mean_x * mean_y) + _C2) / (spread + _C2)
    return 1 - (luminance * structure).mean()


def kl_divergence(mean: Tensor, std: Tensor) -> Tensor:
    """Mean over values of KL(N(mean, std) || N(0, 1)), in nats (arXiv 1312.6114, App. B)."""
    return 0.5 * (mean.square() + std.square() - 1 - 2 * std.log()).mean()


def imagenet_encoder() -> LiteEncoder:
    """The frozen network whose features a loss compares (`feature_distance`).

    Raises:
        WeightsError: the package that brings its weights is not installed.
    """
    encoder = LiteEncoder(_STAGES).eval().requires_grad_(False)
    encoder.load_imagenet()
    return encoder


def feature_distance(out: Sequence[Tensor], target: Sequence[Tensor]) -> Tensor:
    """The mean over resolutions of the L1 between features, each channel scaled by its deviation.

    Args:
        out, target: (N, C, H, W), at each resolution.
    """
    distances: list[Tensor] = []
    for mine, true in zip(out, target, strict=True):
        deviation = true.std((0, 2, 3), keepdim=True) + 1e-3  # (1, C, 1, 1)
        distances.append(((mine - true) / deviation).abs().mean())
    return torch.stack(distances).mean()


def texture_distance(out: Sequence[Tensor], target: Sequence[Tensor]) -> Tensor:
    """The mean over resolutions of the L1 between the products of features in small windows.

    The products of each two channels (Gram matrices) tell a texture, not where its parts lie
    (EnhanceNet, arXiv 1612.07919, 4.2.3). Channels are scaled by their deviation.

    Args:
        out, target: (N, C, H, W), at each resolution; H and W are multiples of 4.
    """
    distances: list[Tensor] = []
    for mine, true in zip(out, target, strict=True):
        deviation = true.std((0, 2, 3), keepdim=True) + 1e-3  # (1, C, 1, 1)
        grams = [_gram(f / deviation) for f in (mine, true)]
        distances.append((grams[0] - grams[1]).abs().mean())
    return torch.stack(distances).mean()


def _gram(features: Tensor) -> Tensor:
    """(N, C, H, W) -> (N, C C, H/w, W/w): the mean products in windows of at most 8 cells."""
    window = min(8, features.shape[-1])
    products = torch.einsum("nchw,ndhw->ncdhw", features, features).flatten(1, 2)
    return F.avg_pool2d(products, window)
