"""Building blocks of the pixel-space networks: residual block and U-Net."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class ResBlock(nn.Module):
    """x + conv(act(conv(x))): two 3x3 convolutions.

    Args:
        width: channels in and out.
        norm: batch normalisation after each convolution (none for restoration).
    """

    def __init__(self, width: int, *, norm: bool) -> None:
        super().__init__()
        self.rectify = norm  # without norms, rectified sums die early in training
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.norm1 = nn.BatchNorm2d(width) if norm else nn.Identity()
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.norm2 = nn.BatchNorm2d(width) if norm else nn.Identity()

    def silence(self) -> None:
        """Turns the block into the identity (with norms: for non-negative inputs)."""
        last = self.norm2 if isinstance(self.norm2, nn.BatchNorm2d) else self.conv2
        nn.init.zeros_(last.weight)
        if last.bias is not None:
            nn.init.zeros_(last.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        h = F.relu(self.norm1(self.conv1(x)), inplace=True)
        out = x + self.norm2(self.conv2(h))
        return F.relu(out) if self.rectify else out


class UNet(nn.Module):
    """A U-Net on half-resolution pixels: unshuffle by 2, one level for each width, shuffle back.

    Unshuffling loses nothing and keeps the wide, memory-bound full-resolution layers away.

    Args:
        in_channels, out_channels: at full resolution.
        widths: channels at 1/2, 1/4, 1/8, ... of the resolution, for a fold of 2.
        blocks: residual blocks at each level, on the way down and on the way up.
        norm: batch normalisation in the blocks.
        fold: side of the squares of pixels that are unshuffled; 1 unshuffles nothing.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        widths: list[int],
        blocks: list[int],
        *,
        norm: bool,
        fold: int = 2,
    ) -> None:
        super().__init__()
        self.fold = fold
        self.stride = fold * 2 ** (len(widths) - 1)
        self.enter = nn.Conv2d(fold**2 * in_channels, widths[0], 3, padding=1)
        self.down = nn.ModuleList(nn.Conv2d(a, b, 2, stride=2) for a, b in pairwise(widths))
        self.up = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in pairwise(widths))
        self.encode = nn.ModuleList(
            nn.Sequential(*(ResBlock(w, norm=norm) for _ in range(n)))
            for w, n in zip(widths, blocks, strict=True)
        )
        self.fuse = nn.ModuleList(nn.Conv2d(2 * w, w, 1) for w in widths[:-1])
        self.decode = nn.ModuleList(
            nn.Sequential(*(ResBlock(w, norm=norm) for _ in range(n)))
            for w, n in zip(widths[:-1], blocks[:-1], strict=True)
        )
        self.leave = nn.Conv2d(widths[0], fold**2 * out_channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in, H, W) -> (N, out, H, W); H and W are multiples of `stride`."""
        return F.pixel_shuffle(self.leave(self.features(x)), self.fold)  # (N, out, H, W)

    def features(self, x: Tensor) -> Tensor:
        """(N, in, H, W) -> (N, widths[0], H/fold, W/fold): what the last convolution reads."""
        h = self.enter(F.pixel_unshuffle(x, self.fold))  # (N, widths[0], H/fold, W/fold)
        skips: list[Tensor] = []
        for i, stage in enumerate(self.encode):
            h = stage(h)  # (N, widths[i], H/(fold 2^i), W/(fold 2^i))
            if i < len(self.down):
                skips.append(h)
                h = self.down[i](h)
        for i in reversed(range(len(self.up))):
            h = F.interpolate(self.up[i](h), scale_factor=2.0, mode="nearest")
            h = self.fuse[i](torch.cat([h, skips[i]], 1))  # (N, widths[i], ...)
            h = self.decode[i](h)
        return h
