"""The tone network: estimates a global correction of levels and cast from a thumbnail."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

THUMBNAIL = 64
_LUMA = (0.2126, 0.7152, 0.0722)
_QUANTILES = (0.002, 0.01, 0.03, 0.1, 0.25, 0.5, 0.75, 0.9, 0.97, 0.99, 0.998)


@dataclass(frozen=True)
class ToneConfig:
    """Shape of the estimator.

    Attributes:
        widths: channels of the strided convolutions on the 64 x 64 thumbnail.
        hidden: width of the head.
        gate: up to this probability that the photo faded, nothing is changed.
        full: from this probability on, the whole correction is applied.
    """

    widths: list[int] = field(default_factory=lambda: [24, 48, 96, 128])
    hidden: int = 192
    gate: float = 0.65
    full: float = 0.9


@dataclass(frozen=True)
class Levels:
    """y = s(((x - low) / (high - low))^gamma), s a saturation about the luma.

    Attributes:
        low, high, gamma: (N, 3), levels in [0, 1] units and exponents.
        saturation: (N, 1), 1 keeps the colours, 0 takes them.
    """

    low: Tensor
    high: Tensor
    gamma: Tensor
    saturation: Tensor

    def apply(self, rgb: Tensor) -> Tensor:
        """(N, 3, H, W) in [0, 1] -> the same, corrected and clipped."""
        low, high, gamma = (v[:, :, None, None] for v in (self.low, self.high, self.gamma))
        x = ((rgb - low) / (high - low)).clamp(1e-4, 1.2) ** gamma  # (N, 3, H, W)
        weights = rgb.new_tensor(_LUMA)[None, :, None, None]
        gray = (x * weights).sum(1, keepdim=True)  # (N, 1, H, W)
        return (gray + self.saturation[:, :, None, None] * (x - gray)).clamp(0, 1)


def colour_residual(thumbnail: Tensor, quantile: float = 0.9) -> Tensor:
    """How much colour is left that a single tint cannot explain.

    A toned monochrome's colour is a smooth function of its luma: a cubic in the luma is
    fitted to each colour difference, and what remains is colour.

    Args:
        thumbnail: (N, 3, H, W) in [0, 1].
        quantile: 0..1, of the pixels by what remains.

    Returns:
        (N,), that quantile of the remaining colour difference, [0, 1] units.
    """
    n = len(thumbnail)
    weights = thumbnail.new_tensor(_LUMA)[None, :, None, None]
    thumbnail = thumbnail.double()  # a flat photo makes the fit all but singular
    y = (thumbnail * weights).sum(1).reshape(n, -1)  # (N, P)
    basis = torch.stack([torch.ones_like(y), y, y * y, y**3], 2)  # (N, P, 4)
    chroma = (thumbnail[:, [0, 2]] - thumbnail[:, 1:2]).reshape(n, 2, -1).mT  # (N, P, 2)
    ridge = 1e-4 * torch.eye(4).to(basis)
    normal, moment = basis.mT @ basis + ridge, basis.mT @ chroma  # (N, 4, 4), (N, 4, 2)
    fit: Tensor = cast(Any, torch.linalg).solve(normal, moment)
    rest = (chroma - basis @ fit).abs().amax(2)  # (N, P)
    return rest.quantile(quantile, dim=1).float()


class ToneNet(nn.Module):
    """Thumbnail -> levels, saturation and the probability that the photo faded at all."""

    def __init__(self, config: ToneConfig) -> None:
        super().__init__()
        self.config = config
        layers: list[nn.Module] = []
        for a, b in zip([3, *config.widths[:-1]], config.widths, strict=True):
            layers += [nn.Conv2d(a, b, 3, stride=2, padding=1), nn.ReLU(inplace=True)]
        self.trunk = nn.Sequential(*layers)
        features = 2 * config.widths[-1] + 4 * len(_QUANTILES)
        self.head = nn.Sequential(
            nn.Linear(features, config.hidden), nn.ReLU(inplace=True),
            nn.Linear(config.hidden, config.hidden), nn.ReLU(inplace=True),
            nn.Linear(config.hidden, 11),
        )  # fmt: skip
        last = self.head[-1]
        assert isinstance(last, nn.Linear)
        nn.init.normal_(last.weight, std=1e-3)
        nn.init.zeros_(last.bias)

    def forward(self, thumbnail: Tensor) -> tuple[Levels, Tensor]:
        """(N, 3, 64, 64) in [0, 1] -> levels and a logit (N,), > 0 if faded."""
        h = self.trunk(thumbnail - 0.5)  # (N, C, 4, 4)
        pixels = thumbnail[:, :, ::2, ::2]
        flat = torch.cat([pixels, pixels.mean(1, keepdim=True)], 1).flatten(2)  # (N, 4, P)
        q = flat.quantile(flat.new_tensor(_QUANTILES), dim=2)  # (Q, N, 4)
        features = [h.mean((2, 3)), h.amax((2, 3)), q.permute(1, 2, 0).flatten(1) - 0.5]
        out = self.head(torch.cat(features, 1))  # (N, 11)
        low = 0.25 * torch.tanh(out[:, 0:3]) + 0.1 * F.softplus(2 * out[:, 0:3]) - 0.0693
        high = 1 - 0.6 * torch.tanh(F.softplus(out[:, 3:6]) - 0.6931)
        high = torch.maximum(high, low + 0.15)
        gamma = torch.exp(torch.tanh(out[:, 6:9]))
        saturation = torch.exp(0.9 * torch.tanh(out[:, 9:10]))
        return Levels(low, high, gamma, saturation), out[:, 10]


# Colour that a single tint cannot explain: up to the first a photo is a monochrome, from the
# second on it has colours.
MONOCHROME = (0.016, 0.024)
#: Share of a photo that hand-tinting covers at least, and the colour that it has there at least.
_TINTED_SHARE, _TINTED = 0.015, 0.045


def has_colours(thumbnail: Tensor) -> bool:
    """Whether a photo has colours: throughout, or hand-tinted in parts.

    A gray photo has none, and neither has one with a tint that depends on the luma alone, such
    as sepia.

    Args:
        thumbnail: (1, 3, H, W) in [0, 1].
    """
    if float(colour_residual(thumbnail)) >= MONOCHROME[1]:
        return True
    return float(colour_residual(thumbnail, 1 - _TINTED_SHARE)) >= _TINTED


def correction(net: ToneNet, thumbnail: Tensor, *, keep_colours: bool = False) -> Levels | None:
    """The correction for one photo, or None if its tone is left alone.

    The surer the estimator is that the photo faded, the more of the correction is applied. A
    monochrome, toned or not, comes out neutral; the saturation of a photo that has colours, were it
    in a hand-tinted part alone, never sinks.

    Args:
        thumbnail: (1, 3, 64, 64) in [0, 1].
        keep_colours: the photo has colours, however little of it they cover.
    """
    levels, faded = net(thumbnail)
    gate, full = net.config.gate, net.config.full
    share = min(1.0, (float(faded.sigmoid()) - gate) / (full - gate))
    if share <= 0:
        return None
    saturation = levels.saturation.clamp(min=1.0) ** share
    if not (keep_colours or has_colours(thumbnail)):
        least, most = MONOCHROME
        coloured = (float(colour_residual(thumbnail)) - least) / (most - least)
        saturation = saturation * min(1.0, max(0.0, coloured))
    high = 1 + share * (levels.high - 1)
    return Levels(share * levels.low, high, levels.gamma**share, saturation)
