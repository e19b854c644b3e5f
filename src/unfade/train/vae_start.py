"""Initialises autoencoders that fold photos with the best linear autoencoder.

Principal components of the folded squares are what a linear autoencoder learns in the end (Baldi
and Hornik, Neural Networks 2, 1989). Gradient descent needs hours to find them. As silu(a) -
silu(-a) = a, a component and its negative pass the activation together; a few large constant
channels keep the group normalisation independent of the picture.
"""

from __future__ import annotations

import math
from typing import Any, cast

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.resnet import ResnetBlock2D
from torch import Tensor, nn

from unfade.models.patches import fold

_LOG_VARIANCE = -6.0  # of the latents, whose own variance is 1
_STILL = 10.0  # energy of the constant channels over that of the components


def silence_residuals(vae: AutoencoderKL) -> None:
    """Sets the residual blocks to the identity."""
    for block in vae.modules():
        if isinstance(block, ResnetBlock2D):
            nn.init.zeros_(block.conv2.weight)
            nn.init.zeros_(cast(Tensor, block.conv2.bias))


def is_linear(vae: AutoencoderKL) -> bool:
    """Whether `start_linear` supports this shape: one level, one group, folded squares."""
    config = cast(Any, vae).config
    room = _room(config.block_out_channels[0], config.latent_channels)
    has_one_level = len(config.block_out_channels) == 1 and config.norm_num_groups == 1
    return has_one_level and config.in_channels > 3 and room >= config.latent_channels


def _room(width: int, latents: int) -> int:
    """The number of components that fit beside their negatives and the constant channels."""
    return (width - latents - 2 * _constants(width)) // 2


def _constants(width: int) -> int:
    return max(1, width // 32)


@torch.no_grad()
def start_linear(vae: AutoencoderKL, hq: Tensor) -> None:
    """Sets an autoencoder to the principal components of photos.

    The latent's channels are the components of the most variance, each scaled to unit variance.

    Args:
        vae: one that `is_linear` knows; its remaining channels keep their random weights.
        hq: (N, 3, H, W) in [0, 1], at least a few hundred squares.
    """
    silence_residuals(vae)
    squares = fold(vae, hq).movedim(1, -1).flatten(0, -2).double()  # (M, D)
    mean = squares.mean(0)  # (D,)
    values, vectors = cast(Any, torch.linalg).eigh(torch.cov((squares - mean).T))  # rising
    variance, basis = cast(Tensor, values), cast(Tensor, vectors)
    spread = variance.flip(0).clamp(min=1e-8).sqrt()  # (D,)
    basis = basis.flip(1)  # (D, D), a component a column
    width, latents = vae.encoder.conv_in.out_channels, int(cast(Any, vae).config.latent_channels)
    count = min(_room(width, latents), len(spread))
    level = math.sqrt(_STILL * (count + latents) / (2 * _constants(width)))

    forward = (basis / spread).T[:count]  # (K, D), photo -> components
    _pairs(vae.encoder.conv_in, forward, -forward @ mean, latents, level)
    _hold(vae.encoder.conv_norm_out, count + latents, level, width)
    _differences(vae.encoder.conv_out, torch.eye(latents).double(), count)
    cast(Tensor, vae.encoder.conv_out.bias)[latents:] = _LOG_VARIANCE
    for conv in (vae.quant_conv, vae.post_quant_conv):
        nn.init.dirac_(cast(nn.Conv2d, conv).weight)
        nn.init.zeros_(cast(Tensor, cast(nn.Conv2d, conv).bias))
    zeros = torch.zeros(latents).double()
    _pairs(vae.decoder.conv_in, torch.eye(latents).double(), zeros, latents, level)
    _hold(cast(nn.GroupNorm, vae.decoder.conv_norm_out), 2 * latents, level, width)
    _differences(vae.decoder.conv_out, (basis * spread)[:, :latents], latents)
    cast(Tensor, vae.decoder.conv_out.bias)[:] = mean


def _pairs(conv: nn.Conv2d, rows: Tensor, bias: Tensor, twice: int, level: float) -> None:
    """Rows (K, in) at the centre, the first ones again with their sign turned, then constants."""
    rows, bias = torch.cat([rows, -rows[:twice]]), torch.cat([bias, -bias[:twice]])
    n, constants = len(rows), _constants(conv.out_channels)
    out = cast(Tensor, conv.bias)
    conv.weight[: n + 2 * constants] = 0
    conv.weight[:n, :, 1, 1] = rows.to(conv.weight)
    out[:n] = bias.to(out)
    out[n : n + constants], out[n + constants : n + 2 * constants] = level, -level


def _hold(norm: nn.GroupNorm, components: int, level: float, width: int) -> None:
    """Sets the weight of a normalisation to the inverse of its expected scale."""
    energy = components + 2 * _constants(width) * level**2
    nn.init.constant_(norm.weight, math.sqrt(energy / width))


def _differences(conv: nn.Conv2d, columns: Tensor, negatives: int) -> None:
    """Columns (out, K) at the centre, on K channels less those that start at `negatives`."""
    rows, k = columns.shape
    nn.init.zeros_(conv.weight)
    nn.init.zeros_(cast(Tensor, conv.bias))
    conv.weight[:rows, :k, 1, 1] = columns.to(conv.weight)
    conv.weight[:rows, negatives : negatives + k, 1, 1] = -columns.to(conv.weight)
