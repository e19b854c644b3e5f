"""Terms that several losses share."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor


def spectral_l1(out: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference of the Fourier coefficients (MIMO-UNet, arXiv 2108.05054, Eq. 6).

    It keeps a network from settling on a blur.

    Args:
        out, target: (N, C, H, W), float32.
    """
    spectrum: Tensor = cast(Any, torch.fft).rfft2(out - target, norm="ortho")  # (N, C, H, W/2 + 1)
    return (spectrum.real.abs() + spectrum.imag.abs()).mean()


def kl_divergence(mean: Tensor, std: Tensor) -> Tensor:
    """Mean over values of KL(N(mean, std) || N(0, 1)), in nats (arXiv 1312.6114, App. B)."""
    return 0.5 * (mean.square() + std.square() - 1 - 2 * std.log()).mean()
