"""The first stage of super-resolution: a regression network that enlarges photos 4 times."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from unfade.models.blocks import ResBlock, UNet
from unfade.models.stage1 import BANDS, CELL, detail_bands, gain_head, split, statistics, upsampled

SCALE = 4
_LARGEST = 0.25  # bound of the texture that is added to a pixel
MARGIN = 64  # pixels of the small photo, a multiple of the stride: the result depends on no more


@dataclass(frozen=True)
class EnlargerConfig:
    """Shape of the network.

    Attributes:
        widths: channels of the U-Net at 1, 1/2, ... of the small photo's resolution.
        blocks: its residual blocks at each level.
        hidden: width of the head.
        texture: residual blocks of the branch that adds texture; 0 leaves it out.
    """

    widths: list[int] = field(default_factory=lambda: [64, 112])
    blocks: list[int] = field(default_factory=lambda: [3, 4])
    hidden: int = 64
    texture: int = 0


class _Texture(nn.Module):
    """The detail that a regression network averages away, from its features and its result.

    It changes the luminance alone: invented colour would be seen as speckle.
    """

    def __init__(self, features: int, blocks: int) -> None:
        super().__init__()
        pixels = 3 * SCALE**2
        self.enter = nn.Conv2d(features + pixels, features, 3, padding=1)
        self.blocks = nn.Sequential(*(ResBlock(features, norm=False) for _ in range(blocks)))
        self.leave = nn.Conv2d(features, SCALE**2, 3, padding=1)
        nn.init.zeros_(self.leave.weight)
        if self.leave.bias is not None:
            nn.init.zeros_(self.leave.bias)

    def forward(self, features: Tensor, enlarged: Tensor) -> Tensor:
        """Features (N, C, h, w) and the enlarged photo (N, 3, 4h, 4w) -> (N, 1, 4h, 4w)."""
        seen = F.pixel_unshuffle(enlarged - 0.5, SCALE)  # (N, 48, h, w)
        h = self.blocks(self.enter(torch.cat([features, seen], 1)))  # (N, C, h, w)
        return _LARGEST * F.pixel_shuffle(self.leave(h).float().tanh(), SCALE)


class Enlarger(nn.Module):
    """Removes grain, compression and blur from a small photo, and enlarges it.

    Works at the small photo's resolution and shuffles channels into pixels at the end (ESPCN,
    arXiv 1609.05158). As in the first stage, gains of the detail bands mend what the bands'
    strengths give away; a U-Net corrects the gains and adds a residual to the bicubic picture.

    That picture is the likely mean, and blurred where much is possible. A branch that was trained
    against a discriminator adds the texture of one possible photo (`train.texture`).
    """

    def __init__(self, config: EnlargerConfig) -> None:
        super().__init__()
        self.config = config
        self.net = UNet(
            3 + 4 * BANDS,
            3 * SCALE**2 + 2 * BANDS,
            config.widths,
            config.blocks,
            norm=False,
            fold=1,
        )
        self.stride = max(self.net.stride, CELL)
        self.norm = nn.BatchNorm2d(6 * BANDS, affine=False)
        self.head = gain_head(config.hidden)
        self.texture = _Texture(config.widths[0], config.texture) if config.texture else None
        for parameter in self.net.leave.parameters():  # untrained, it is bicubic interpolation
            nn.init.zeros_(parameter)

    def forward(self, lq: Tensor, fidelity: float = 1.0) -> Tensor:
        """(N, 3, h, w), sRGB [0, 1], h and w multiples of `stride` -> (N, 3, 4h, 4w) float32.

        Args:
            fidelity: 1 leaves the texture out, 0 adds all of it.
        """
        size = lq.shape[-2:]
        with torch.autocast(lq.device.type, enabled=False):
            bands = detail_bands(lq)
            parts = split(bands)
            strength = self.norm(statistics(parts, torch.zeros_like(lq[:, :1])))  # (N, 6 BANDS, ..)
            gains = upsampled(self.head(strength), size)  # (N, 2 BANDS, h, w)
        fine = [(20 * band).tanh() for band in bands]
        x = torch.cat([lq - 0.5, *fine, upsampled(strength[:, 1::6], size)], 1)
        features = self.net.features(x)  # (N, widths[0], h, w)
        change = self.net.leave(features).float()  # (N, 48 + 2 BANDS, h, w)
        residual, gains = change[:, : 3 * SCALE**2], gains + change[:, 3 * SCALE**2 :]
        out = lq
        for k, part in enumerate(parts):
            out = out + gains[:, k : k + 1] * part
        large = bicubic(out) + F.pixel_shuffle(residual, SCALE)
        if self.texture is None or fidelity == 1:
            return large
        return large + (1 - fidelity) * self.texture(features, large)


def bicubic(lq: Tensor) -> Tensor:
    """(N, 3, h, w) -> (N, 3, 4h, 4w)."""
    return F.interpolate(lq, scale_factor=float(SCALE), mode="bicubic", align_corners=False)
