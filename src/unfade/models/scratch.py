"""The damage detector: predicts a damage mask from a photo."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from unfade.models.blocks import ResBlock
from unfade.models.efficientnet import LiteEncoder


@dataclass(frozen=True)
class ScratchConfig:
    """Shape of the detector, and the probabilities from which a pixel counts as damaged.

    Attributes:
        stages: of the encoder, which ends at 1/32 of the resolution with 6 of them.
        detail: channels of the branch that sees single pixels.
        widths: channels of the decoder at 1/2, 1/4, ... of the resolution.
        blocks: residual blocks of the decoder at each level.
        threshold: of normal sensitivity, 0..1.
        sensitivity: thresholds, 0..1, of the sensitivities "low" (finds less) and "high" (finds
            more); where one is missing it is derived (`pipeline.detect.thresholds`).
    """

    stages: int = 6
    detail: int = 32
    widths: list[int] = field(default_factory=lambda: [40, 48, 64, 96, 96])
    blocks: list[int] = field(default_factory=lambda: [1, 1, 1, 1, 1])
    threshold: float = 0.5
    sensitivity: dict[str, float] = field(default_factory=lambda: {})


class ScratchDetector(nn.Module):
    """Predicts structured damage and, as a second class, lost borders.

    A classifier's encoder knows what is in a photo; a branch on unshuffled pixels sees lines of one
    pixel, which the encoder's stride of 2 loses; a decoder in the manner of U-Net (arXiv
    1505.04597) joins them. Bringing Old Photos Back to Life (arXiv 2004.09484, 3.3) finds scratches
    with a U-Net too.

    Attributes:
        stride: height and width of the input are multiples of it.
    """

    def __init__(self, config: ScratchConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = LiteEncoder(config.stages)
        self.stride = self.encoder.stride
        self.detail = nn.Sequential(
            nn.Conv2d(12, config.detail, 3, padding=1),
            ResBlock(config.detail, norm=True),
            ResBlock(config.detail, norm=True),
        )
        skips = list(self.encoder.widths)
        skips[0] += config.detail
        widths = config.widths
        above = [*widths[1:], 0]
        self.fuse = nn.ModuleList(
            nn.Conv2d(skip + coarse, width, 1)
            for skip, coarse, width in zip(skips, above, widths, strict=True)
        )
        self.decode = nn.ModuleList(
            nn.Sequential(*(ResBlock(width, norm=True) for _ in range(count)))
            for width, count in zip(widths, config.blocks, strict=True)
        )
        self.leave = nn.Conv2d(widths[0], 8, 3, padding=1)

    def forward(self, lq: Tensor) -> Tensor:
        """(N, 3, H, W) in [0, 1] -> (N, 2, H, W) logits: damage, lost border."""
        skips = self.encoder(lq)  # (N, c, H/2, W/2), ..., (N, c, H/stride, W/stride)
        fine = self.detail(F.pixel_unshuffle(lq - 0.5, 2))  # (N, detail, H/2, W/2)
        skips[0] = torch.cat([skips[0], fine], 1)
        h = self.decode[-1](self.fuse[-1](skips[-1]))
        for level in reversed(range(len(skips) - 1)):
            h = F.interpolate(h, scale_factor=2.0, mode="bilinear", align_corners=False)
            h = self.fuse[level](torch.cat([skips[level], h], 1))
            h = self.decode[level](h)  # (N, widths[level], H / 2^(level + 1), ...)
        return F.pixel_shuffle(self.leave(h), 2)  # (N, 2, H, W)
