"""Uneven fading: a smooth, recorded correction that differs from place to place.

The corners of a print fade first, a mat keeps a part of it from the light, a corner was wet. What
undoes this is smooth in space, so that it can be drawn on a thumbnail and applied at any size.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

GRID = 16  # control points along each side


@dataclass(frozen=True)
class ToneField:
    """y = exp(gain) (x - offset), channel by channel, by a surface of uniform cubic B-splines.

    Attributes:
        grid: (N, 6, 16, 16), control points of the logarithm of the gain and of the offset, three
            channels each; zeros change nothing.
    """

    grid: Tensor

    def apply(self, rgb: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
        """(N, 3, H, W) in [0, 1] -> the same, corrected and clipped.

        Args:
            rows: (H,), where each row lies in the photo: 0 is its upper edge, 1 its lower.
            columns: (W,), the same from the left edge to the right.
        """
        down, across = spline(rows), spline(columns)  # (H, 16), (W, 16)
        surface = down @ self.grid @ across.T  # (N, 6, H, W)
        gain, offset = surface[:, :3], surface[:, 3:]  # (N, 3, H, W) each
        return (gain.exp() * (rgb - offset)).clamp(0, 1)

    def scaled(self, share: Tensor) -> ToneField:
        """A share of the correction of each photo: (N,) in [0, 1]."""
        return ToneField(self.grid * share[:, None, None, None])

    def neutral(self, gray: Tensor) -> ToneField:
        """The same in all channels for the photos that are gray: (N,) in {0, 1}."""
        n = len(self.grid)
        parts = self.grid.reshape(n, 2, 3, GRID, GRID)
        means = parts.mean(2, keepdim=True).expand_as(parts)
        chosen = torch.where(gray[:, None, None, None, None] > 0, means, parts)
        return ToneField(chosen.reshape(n, 6, GRID, GRID))


def spline(where: Tensor) -> Tensor:
    """Weights of the control points of a uniform cubic B-spline: (P,) in [0, 1] -> (P, 16)."""
    at = where[:, None] * (GRID - 3) + 1  # the surface lies between the second and the last but one
    d = (at - torch.arange(GRID, dtype=where.dtype)).abs()  # (P, 16)
    near = 2 / 3 - d * d + d**3 / 2
    far = (2 - d).clamp(min=0) ** 3 / 6
    return torch.where(d < 1, near, far)


def cell_centres(count: int) -> Tensor:
    """Where the middles of that many equal cells lie: (count,) in [0, 1]."""
    return (torch.arange(count) + 0.5) / count


class FieldNet(nn.Module):
    """Thumbnail before and after the even correction -> what is left, and whether it helps.

    A U-Net (arXiv 1505.04597) without its two finest levels.
    """

    def __init__(self, widths: list[int]) -> None:
        super().__init__()
        a, b, c, d = widths
        self.down = nn.ModuleList(
            nn.Conv2d(i, o, 3, stride=2, padding=1) for i, o in ((8, a), (a, b), (b, c), (c, d))
        )
        self.whole = nn.Linear(d, d)
        self.middle = nn.Conv2d(c + d, c, 3, padding=1)
        self.fine = nn.Conv2d(b + c, b, 3, padding=1)
        self.out = nn.Conv2d(b, 6, 1)
        self.sure = nn.Linear(2 * d, 1)
        for conv in (*self.down, self.middle, self.fine):
            assert isinstance(conv, nn.Conv2d) and conv.bias is not None
            nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
            nn.init.zeros_(conv.bias)
        for last in (self.out, self.sure):
            nn.init.normal_(last.weight, std=1e-3)
            assert last.bias is not None
            nn.init.zeros_(last.bias)

    def silence(self) -> None:
        """Makes the field zero everywhere: no change."""
        nn.init.zeros_(self.out.weight)

    def forward(self, before: Tensor, after: Tensor) -> tuple[ToneField, Tensor]:
        """(N, 3, 64, 64) twice, in [0, 1] -> the field, and a logit (N,), > 0 where it helps."""
        n, _, height, width = before.shape
        y = (2 * cell_centres(height) - 1).to(before)[:, None].expand(height, width)
        x = (2 * cell_centres(width) - 1).to(before).expand(height, width)
        place = torch.stack([y, x]).expand(n, 2, height, width)  # (N, 2, 64, 64)
        h = torch.cat([before - 0.5, after - 0.5, place], 1)  # (N, 8, 64, 64)
        levels: list[Tensor] = []
        for conv in self.down:
            h = F.relu(conv(h))
            levels.append(h)  # (N, C, 32, 32), (N, C, 16, 16), (N, C, 8, 8), (N, C, 4, 4)
        _, sixteen, eight, four = levels
        mean = four.mean((2, 3))  # (N, D)
        h = F.relu(four + self.whole(mean)[:, :, None, None])
        h = torch.cat([eight, _twice(h)], 1)  # (N, C + D, 8, 8)
        h = torch.cat([sixteen, _twice(F.relu(self.middle(h)))], 1)  # (N, B + C, 16, 16)
        grid = 0.25 * self.out(F.relu(self.fine(h)))  # (N, 6, 16, 16)
        gain, offset = torch.tanh(grid[:, :3]), 0.5 * torch.tanh(grid[:, 3:])
        logit = self.sure(torch.cat([mean, four.amax((2, 3))], 1))[:, 0]
        return ToneField(torch.cat([gain, offset], 1)), logit


def _twice(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
