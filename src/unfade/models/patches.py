"""Converts photos for an autoencoder: to [-1, 1] and, if its first layer needs it, folded.

Folding turns each square of P x P pixels into 3 P^2 channels without loss. Stable Diffusion's
autoencoder does not fold (P = 1).
"""

from __future__ import annotations

import math
from typing import Any, cast

from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from torch import Tensor
from torch.nn import functional as F


def patch_of(vae: AutoencoderKL) -> int:
    """P, the side of the squares that are folded, in pixels."""
    return math.isqrt(int(cast(Any, vae).config.in_channels) // 3)


def downscale_of(vae: AutoencoderKL) -> int:
    """The width of a latent cell in pixels."""
    return patch_of(vae) * 2 ** (len(cast(Any, vae).config.block_out_channels) - 1)


def fold(vae: AutoencoderKL, image: Tensor) -> Tensor:
    """(N, 3, H, W) in [0, 1] -> (N, 3 P^2, H/P, W/P) in [-1, 1]; H and W are multiples of P."""
    return F.pixel_unshuffle(2 * image - 1, patch_of(vae))


def unfold(vae: AutoencoderKL, out: Tensor) -> Tensor:
    """(N, 3 P^2, H/P, W/P), about [-1, 1] -> (N, 3, H, W), about [0, 1]."""
    return (F.pixel_shuffle(out, patch_of(vae)) + 1) / 2
