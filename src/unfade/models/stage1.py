"""The first stage: a regression network that mends structure and leaves tone alone."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from unfade.models.blocks import UNet


@dataclass(frozen=True)
class Stage1Config:
    """Shape of the network; `widths` are channels at 1/2, 1/4, ... of the resolution."""

    widths: list[int] = field(default_factory=lambda: [32, 64, 112, 160])
    blocks: list[int] = field(default_factory=lambda: [2, 2, 2, 3])


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
        erased = lq * (1 - mask) + 0.5 * mask  # (N, 3, H, W)
        x = torch.cat([erased - 0.5, mask], 1)  # (N, 4, H, W)
        return erased + self.net(x)
