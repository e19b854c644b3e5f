"""The first stage: a regression network that mends structure and leaves tone alone."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from unfade.models.blocks import UNet


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


class Stage1Net(nn.Module):
    """Fills what the mask erased and takes blur, grain and compression off the rest."""

    def __init__(self, config: Stage1Config) -> None:
        super().__init__()
        self.config = config
        self.net = UNet(4, 3, config.widths, config.blocks, norm=False)
        self.stride = self.net.stride
        leave = self.net.leave
        nn.init.normal_(leave.weight, std=1e-3)

    def forward(self, lq: Tensor, mask: Tensor) -> Tensor:
        """Mends a photo.

        Args:
            lq: (N, 3, H, W), sRGB [0, 1]; what stands under the mask is never seen.
            mask: (N, 1, H, W) in [0, 1], 1 = damaged.

        Returns:
            (N, 3, H, W), about [0, 1], the whole picture as the network sees it.
        """
        erased = push_pull(lq, mask)  # (N, 3, H, W)
        x = torch.cat([erased - 0.5, mask], 1)  # (N, 4, H, W)
        return erased + self.net(x)
