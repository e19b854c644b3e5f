"""Tells photos from enlarged ones, by their pixels and by the features of an ImageNet classifier.

Features of a network that was trained before make small discriminators strong (Projected GANs,
arXiv 2111.01007); those of the pixels see the finest grain.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

SCALES = 2  # resolutions of the pixels that are judged
_FOLD = 2  # side of the squares of pixels that are unshuffled
_SLOPE = 3.0  # of the scores of pixels, which differ little between photos and others
_GAIN = 8.0  # of the finest detail, which is faint beside the picture
_WIDTHS = (40, 64, 64)


class _Head(nn.Module):
    """Four convolutions.

    Args:
        channels: of the input.
        stride: of the second convolution.
        slope: what a score is multiplied by: the slopes of the convolutions are bounded (spectral
            normalisation, arXiv 1802.05957).
    """

    def __init__(self, channels: int, stride: int, slope: float) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for i, (inputs, outputs) in enumerate(pairwise((channels, *_WIDTHS))):
            step = stride if i == 1 else 1
            conv = nn.Conv2d(inputs, outputs, 3, step, padding=1)
            layers += [spectral_norm(conv), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, spectral_norm(nn.Conv2d(_WIDTHS[-1], 1, 1)))
        self.slope = slope

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, 1, H / stride, W / stride), above 0 where it looks like a photo."""
        return self.slope * self.layers(x)


class Discriminator(nn.Module):
    """Heads on the pixels at full and at half resolution, and on the features of each resolution.

    Args:
        widths: channels of the features.
    """

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.pixels = nn.ModuleList(_Head(6 * _FOLD**2, 2, _SLOPE) for _ in range(SCALES))
        self.features = nn.ModuleList(
            _Head(width, 2 if i == 0 else 1, 1.0) for i, width in enumerate(widths)
        )

    def forward(self, rgb: Tensor, features: Sequence[Tensor]) -> list[Tensor]:
        """The scores of each head, (N, 1, h, w); those of the pixels first.

        Args:
            rgb: (N, 3, H, W) in [0, 1]; H and W are multiples of 4.
            features: of the same pictures (`models.efficientnet.LiteEncoder`).
        """
        scores: list[Tensor] = []
        for head in self.pixels:
            fine = rgb - F.avg_pool2d(rgb, 3, 1, 1, count_include_pad=False)  # (N, 3, H, W)
            seen = torch.cat([2 * rgb - 1, _GAIN * fine], 1)  # (N, 6, H, W)
            scores.append(head(F.pixel_unshuffle(seen, _FOLD)))  # of (N, 24, H/2, W/2)
            rgb = F.avg_pool2d(rgb, 2)  # (N, 3, H/2, W/2)
        heads = zip(self.features, features, strict=True)
        return [*scores, *(head(f) for head, f in heads)]
