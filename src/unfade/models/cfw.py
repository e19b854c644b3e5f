"""Controllable feature wrapping (CFW): adds the encoder's features of the photo to the decoder.

The idea is that of StableSR (arXiv 2305.07015, 3.3) and CodeFormer (arXiv 2206.11253, 3.4):
F = F_d + w C(F_e, F_d), with the features F_e of the encoder, F_d of the decoder, and w the
fidelity.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from diffusers.configuration_utils import (
    ConfigMixin,
    register_to_config,  # pyright: ignore[reportUnknownVariableType]
)
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.modeling_utils import ModelMixin
from torch import Tensor, nn
from torch.nn import functional as F

from unfade.errors import UsageError
from unfade.models.patches import fold, unfold


class _Fuse(nn.Module):
    """C: two convolutions over both features; the second starts at zero."""

    def __init__(self, encoder: int, decoder: int, hidden: int) -> None:
        super().__init__()
        self.enter = nn.Conv2d(encoder + decoder, hidden, 3, padding=1)
        self.leave = nn.Conv2d(hidden, decoder, 3, padding=1)
        nn.init.zeros_(self.leave.weight)
        if self.leave.bias is not None:
            nn.init.zeros_(self.leave.bias)

    def forward(self, encoder: Tensor, decoder: Tensor) -> Tensor:
        """(N, E, H, W) and (N, D, H, W) -> (N, D, H, W)."""
        return self.leave(F.silu(self.enter(torch.cat([encoder, decoder], 1))))


class Cfw(ModelMixin, ConfigMixin):
    """One fusion C for each level of the decoder but the coarsest, from coarse to fine.

    It has diffusers' layout on disk. Untrained, or at fidelity 0, it changes nothing.

    Args:
        encoder: channels of the encoder's features at each level.
        decoder: channels of the decoder's.
        hidden: channels between the two convolutions.
    """

    @register_to_config
    def __init__(
        self, encoder: Sequence[int], decoder: Sequence[int], hidden: Sequence[int]
    ) -> None:
        super().__init__()
        sizes = zip(encoder, decoder, hidden, strict=True)
        self.levels = nn.ModuleList(_Fuse(e, d, h) for e, d, h in sizes)


def decoder_levels(vae: AutoencoderKL) -> int:
    """The number of levels of an autoencoder's decoder that a CFW changes."""
    return max(1, len(cast(Any, vae).config.block_out_channels) - 1)


def check_hidden(vae: AutoencoderKL, hidden: Sequence[int]) -> None:
    """UsageError if the number of a CFW's widths does not fit an autoencoder."""
    if len(hidden) != decoder_levels(vae):
        got = f"hidden = {list(hidden)}"
        expected = f"{decoder_levels(vae)} widths for this autoencoder"
        raise UsageError(got, expected, "give one for each level of its decoder, but the coarsest")


def build_cfw(vae: AutoencoderKL, hidden: Sequence[int] = (64,)) -> Cfw:
    """An untrained CFW for an autoencoder.

    Args:
        hidden: widths at 1/4, 1/2 and 1 of the resolution for an autoencoder of four levels; one
            for an autoencoder of a single level.

    Raises:
        UsageError: widths that are too few or too many.
    """
    widths: Sequence[int] = cast(Any, vae).config.block_out_channels
    encoder = [*reversed(widths[:-2]), widths[0]]
    decoder = [*reversed(widths[1:])] or [widths[0]]
    check_hidden(vae, hidden)
    return Cfw(encoder=encoder, decoder=decoder, hidden=list(hidden))


def encoder_features(vae: AutoencoderKL, image: Tensor) -> list[Tensor]:
    """The features of the encoder for a photo, from coarse to fine.

    Args:
        image: (N, 3, H, W) in [0, 1].

    Returns:
        (N, E, H/4, W/4), (N, E, H/2, W/2), (N, E, H, W) for an autoencoder of four levels.
    """
    encoder: Any = vae.encoder
    features = [encoder.conv_in(fold(vae, image))]  # (N, E, H, W)
    for block in list(encoder.down_blocks)[:-2]:
        features.append(block(features[-1]))  # (N, E, H/2, W/2), ...
    return features[::-1]


def decode_fused(
    vae: AutoencoderKL, cfw: Cfw | None, z0: Tensor, features: Sequence[Tensor], fidelity: float
) -> Tensor:
    """Decodes with the encoder's features mixed in.

    Autocast does not reach the last layer: the steps of bfloat16 could be seen.

    Args:
        cfw: None decodes plainly.
        z0: (N, C, h, w), a scaled latent.
        features: of the photo that z0 restores, from `encoder_features`; none decodes plainly.
        fidelity: w, 0..1.

    Returns:
        (N, 3, 8h, 8w), about [0, 1], not clipped.
    """
    decoder: Any = vae.decoder
    h = z0 / cast(Any, vae).config.scaling_factor
    if vae.post_quant_conv is not None:
        h = vae.post_quant_conv(h)
    h = decoder.mid_block(decoder.conv_in(h))  # (N, D, h, w)
    for i, block in enumerate(decoder.up_blocks):
        h = block(h)  # (N, D, 2h, 2w), ...; the last keeps the size
        if cfw is not None and fidelity > 0 and i < len(features):
            h = h + fidelity * cast(Any, cfw.levels[i])(features[i], h)
    h = decoder.conv_act(decoder.conv_norm_out(h))  # (N, D, 8h, 8w)
    with torch.autocast(h.device.type, enabled=False):
        h = decoder.conv_out(h.to(decoder.conv_out.weight.dtype))  # (N, 3, 8h, 8w)
    return unfold(vae, h)
