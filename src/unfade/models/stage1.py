"""The first stage: a regression network that mends structure and leaves tone alone."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from unfade.models.blocks import UNet

BANDS = 3
LUMA = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class Stage1Config:
    """Shape of the network; `widths` are channels at 1/2, 1/4, ... of the resolution."""

    widths: list[int] = field(default_factory=lambda: [32, 64, 112, 160])
    blocks: list[int] = field(default_factory=lambda: [2, 2, 2, 3])


def _halved(x: Tensor) -> Tensor:
    """(N, C, h, w) -> (N, C, ceil(h/2), ceil(w/2)): the means of 2 x 2 pixels, nothing beyond."""
    return F.avg_pool2d(F.pad(x, (0, x.shape[-1] % 2, 0, x.shape[-2] % 2)), 2)


def push_pull(lq: Tensor, mask: Tensor) -> Tensor:
    """Replaces what the mask covers by a smooth continuation of what it does not.

    The push-pull pyramid of Gortler et al., The Lumigraph (1996), 3.4: averages of the sound
    pixels at ever coarser scales, and back from coarse to fine.

    Args:
        lq: (N, 3, H, W); mask: (N, 1, H, W) in [0, 1], 1 = damaged.

    Returns:
        (N, 3, H, W), equal to lq where mask is 0 and independent of lq where it is 1.
    """
    weight = 1 - mask  # (N, 1, H, W)
    levels = [(lq * weight, weight)]
    while max(levels[-1][1].shape[-2:]) > 1:
        levels.append((_halved(levels[-1][0]), _halved(levels[-1][1])))
    colour, weight = levels.pop()  # (N, 3, 1, 1), (N, 1, 1, 1)
    fill = torch.where(weight > 0, colour / weight.clamp(min=1e-6), 0.5)
    for k, (colour, weight) in reversed(list(enumerate(levels))):
        up = F.interpolate(fill, scale_factor=2.0, mode="bilinear", align_corners=False)
        up = up[..., : colour.shape[-2], : colour.shape[-1]]
        # A coarse cell with a quarter of its pixels sound is trusted; at full size, only a whole.
        trust = weight if k == 0 else (4 * weight).clamp(max=1)  # (N, 1, h, w)
        known = colour if k == 0 else colour / weight.clamp(min=1e-6) * trust
        fill = known + (1 - trust) * up  # (N, 3, h, w)
    return fill


def detail_bands(rgb: Tensor) -> list[Tensor]:
    """The finest scales of a picture: its starlet transform without the coarse rest.

    The undecimated wavelet of Starck et al., The Undecimated Wavelet Decomposition and its
    Reconstruction (2007), with the B3 spline at distances of 1, 2 and 4 pixels.

    Args:
        rgb: (N, 3, H, W).

    Returns:
        `BANDS` pictures (N, 3, H, W), from fine to coarse, each of mean about 0.
    """
    taps = rgb.new_tensor([1, 4, 6, 4, 1]) / 16
    across, down = (
        taps.view(1, 1, 1, 5).repeat(3, 1, 1, 1),
        taps.view(1, 1, 5, 1).repeat(3, 1, 1, 1),
    )
    bands: list[Tensor] = []
    for k in range(BANDS):
        d = 2**k
        smooth = F.pad(rgb, (2 * d,) * 4, mode="replicate")  # (N, 3, H + 4d, W + 4d)
        smooth = F.conv2d(smooth, across, dilation=d, groups=3)  # (N, 3, H + 4d, W)
        smooth = F.conv2d(smooth, down, dilation=d, groups=3)  # (N, 3, H, W)
        bands.append(rgb - smooth)
        rgb = smooth
    return bands


class Stage1Net(nn.Module):
    """Fills what the mask erased and takes blur, grain and compression off the rest.

    For every pixel the network gives a residual and, for the luma and the chroma of each detail
    band, a gain: negative takes grain away, positive takes blur away. Blur and grain call for
    opposite residuals, so that a plain residual learns next to nothing from a mixture of both.
    """

    def __init__(self, config: Stage1Config) -> None:
        super().__init__()
        self.config = config
        self.net = UNet(4, 3 + 2 * BANDS, config.widths, config.blocks, norm=False)
        self.stride = self.net.stride
        for parameter in self.net.leave.parameters():  # untrained, it only fills the mask
            nn.init.zeros_(parameter)

    def forward(self, lq: Tensor, mask: Tensor) -> Tensor:
        """Mends a photo.

        Args:
            lq: (N, 3, H, W), sRGB [0, 1]; what stands under the mask is never seen.
            mask: (N, 1, H, W) in [0, 1], 1 = damaged.

        Returns:
            (N, 3, H, W) float32, about [0, 1], the whole picture as the network sees it.
        """
        erased = push_pull(lq, mask)  # (N, 3, H, W)
        change = self.net(torch.cat([erased - 0.5, mask], 1)).float()  # (N, 3 + 2 BANDS, H, W)
        out = erased + change[:, :3]
        weights = erased.new_tensor(LUMA)[None, :, None, None]
        with torch.autocast(erased.device.type, enabled=False):
            bands = detail_bands(erased)
        for k, band in enumerate(bands):
            luma = (band * weights).sum(1, keepdim=True)  # (N, 1, H, W)
            gains = change[:, 3 + 2 * k : 5 + 2 * k]  # (N, 2, H, W)
            out = out + gains[:, :1] * luma + gains[:, 1:] * (band - luma)
        return out
