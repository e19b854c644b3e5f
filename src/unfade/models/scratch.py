"""The damage detector: photo -> mask."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor, nn

from unfade.models.blocks import UNet


@dataclass(frozen=True)
class ScratchConfig:
    """Shape of the detector, and the probabilities from which a pixel counts as damaged.

    Attributes:
        widths: channels at 1/2, 1/4, ... of the resolution.
        blocks: residual blocks at each level.
        threshold: of normal sensitivity, 0..1.
        sensitivity: thresholds, 0..1, of the sensitivities "low" (finds less) and "high" (finds
            more); where one is missing it is derived (`pipeline.detect.thresholds`).
    """

    widths: list[int] = field(default_factory=lambda: [32, 56, 96, 136])
    blocks: list[int] = field(default_factory=lambda: [1, 1, 1, 2])
    threshold: float = 0.5
    sensitivity: dict[str, float] = field(default_factory=lambda: {})


class ScratchDetector(nn.Module):
    """A small U-Net that marks structured damage and, in a class of its own, lost borders.

    Bringing Old Photos Back to Life (arXiv 2004.09484, 3.3) finds scratches with a U-Net too.
    """

    def __init__(self, config: ScratchConfig) -> None:
        super().__init__()
        self.config = config
        self.net = UNet(3, 2, config.widths, config.blocks, norm=True)
        self.stride = self.net.stride

    def forward(self, lq: Tensor) -> Tensor:
        """(N, 3, H, W) in [0, 1] -> (N, 2, H, W) logits: damage, lost border.

        H and W are multiples of `stride`.
        """
        return self.net(lq - 0.5)
