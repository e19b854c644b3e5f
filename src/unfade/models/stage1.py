"""The first stage: a regression network that repairs structure and keeps tone."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from unfade.models.blocks import UNet

BANDS = 3
CELL = 16
LUMA = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class Stage1Config:
    """Shape of the network.

    Attributes:
        widths: channels of the U-Net at 1/2, 1/4, ... of the resolution.
        blocks: its residual blocks at each level.
        hidden: width of the head.
        gate: let the U-Net decide how much of partly erased pixels stays.
    """

    widths: list[int] = field(default_factory=lambda: [32, 64, 112, 160])
    blocks: list[int] = field(default_factory=lambda: [2, 2, 2, 3])
    hidden: int = 64
    gate: bool = False


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


def split(bands: list[Tensor]) -> list[Tensor]:
    """Each band's luma (N, 1, H, W) and chroma (N, 3, H, W), one after the other."""
    weights = bands[0].new_tensor(LUMA)[None, :, None, None]
    lumas = [(band * weights).sum(1, keepdim=True) for band in bands]
    return [part for band, luma in zip(bands, lumas, strict=True) for part in (luma, band - luma)]


def statistics(parts: list[Tensor], mask: Tensor) -> Tensor:
    """What tells grain from blur: how strong each part is around a cell of `CELL` pixels.

    Args:
        parts: lumas and chromas of the detail bands; mask: (N, 1, H, W), 1 = damaged.

    Returns:
        (N, 6 `BANDS`, H / CELL, W / CELL): for every part the logarithms of the mean, the
        geometric mean and the mean square over 3 x 3 cells, each about in [-2, 5].
    """
    sound = 1.01 - mask  # a cell that is damaged throughout counts as it was filled
    share = F.avg_pool2d(sound, CELL)  # (N, 1, h, w)

    def mean(x: Tensor) -> Tensor:
        cells = F.avg_pool2d(x * sound, CELL) / share  # (N, 1, h, w)
        return F.avg_pool2d(F.pad(cells, (1, 1, 1, 1), mode="replicate"), 3, 1)

    out: list[Tensor] = []
    for part in parts:
        size = part.abs().mean(1, keepdim=True)  # (N, 1, H, W)
        out.append((mean(size) + 1e-4).log() + 5)
        out.append(mean((size + 1e-3).log()) + 5)
        out.append(0.5 * (mean(part.square().mean(1, keepdim=True)) + 1e-6).log() + 5)
    return torch.cat(out, 1)


def gain_head(hidden: int) -> nn.Sequential:
    """`statistics` (N, 6 BANDS, h, w) -> gains of lumas and chromas (N, 2 BANDS, h, w), 0 at first.

    Args:
        hidden: its width.
    """
    head = nn.Sequential(
        nn.Conv2d(6 * BANDS, hidden, 1),
        nn.ReLU(inplace=True),
        nn.Conv2d(hidden, hidden, 1),
        nn.ReLU(inplace=True),
        nn.Conv2d(hidden, 2 * BANDS, 1),
    )
    for parameter in head[-1].parameters():
        nn.init.zeros_(parameter)
    return head


class Stage1Net(nn.Module):
    """Fills what the mask erased and takes blur, grain and compression off the rest.

    Every detail band has a gain for its luma and one for its chroma: negative takes grain away,
    positive takes blur away. A small head gives gains from the bands' strengths around a cell,
    and a U-Net corrects them for every pixel and adds a residual. Blur and grain call for
    opposite residuals: from a mixture of both, a residual alone learns next to nothing.

    What is erased in part leaves a residue of the photo over the fill. With a gate, the U-Net sees
    it and says for every pixel how much of it to add: -1 takes it away, more than 0 brings back
    what was no damage. Where the mask is 1 there is no residue, and nothing of it is seen.
    """

    def __init__(self, config: Stage1Config) -> None:
        super().__init__()
        self.config = config
        inputs, outputs = 4 + 4 * BANDS + 3 * config.gate, 3 + 2 * BANDS + config.gate
        self.net = UNet(inputs, outputs, config.widths, config.blocks, norm=False)
        self.stride = max(self.net.stride, CELL)
        self.norm = nn.BatchNorm2d(6 * BANDS, affine=False)
        self.head = gain_head(config.hidden)
        for parameter in self.net.leave.parameters():  # untrained, it only fills the mask
            nn.init.zeros_(parameter)

    def forward(self, lq: Tensor, mask: Tensor, *, local: bool = True) -> Tensor:
        """Mends a photo.

        Args:
            lq: (N, 3, H, W), sRGB [0, 1]; pixels under the mask are ignored.
            mask: (N, 1, H, W) in [0, 1], 1 = damaged.
            local: run the U-Net too, not the head alone.

        Returns:
            (N, 3, H, W) float32, about [0, 1], the whole picture as the network sees it.
        """
        erased = push_pull(lq, mask)  # (N, 3, H, W)
        size = erased.shape[-2:]
        with torch.autocast(erased.device.type, enabled=False):
            bands = detail_bands(erased)
            parts = split(bands)
            strength = self.norm(statistics(parts, mask))  # (N, 6 BANDS, H / CELL, W / CELL)
            gains = upsampled(self.head(strength), size)  # (N, 2 BANDS, H, W)
        out = erased
        if local:
            residue = self._residue(lq, mask, erased)
            fine = ((20 * band).tanh() for band in bands)
            inputs = joined(erased - 0.5, mask, *fine, upsampled(strength[:, 1::6], size), *residue)
            del bands  # a tile is large: nothing is held longer than it is of use
            change = self.net(inputs).float()  # (N, 3 + 2 BANDS (+ 1), H, W)
            del inputs
            out, gains = out + change[:, :3], gains + change[:, 3 : 3 + 2 * BANDS]
            for residual in residue:
                out = out + change[:, -1:] * residual
        for k, part in enumerate(parts):
            out = out + gains[:, k : k + 1] * part
        return out

    def _residue(self, lq: Tensor, mask: Tensor, erased: Tensor) -> list[Tensor]:
        """What the gate decides about, (N, 3, H, W); nothing where there is no gate."""
        return [erased - push_pull(lq, (mask > 0).to(mask))] if self.config.gate else []


def joined(*parts: Tensor) -> Tensor:
    """(N, c, H, W) each -> (N, sum of c, H, W), in the precision of the convolutions to come."""
    kind = parts[0].device.type
    if torch.is_autocast_enabled(kind):
        parts = tuple(part.to(torch.get_autocast_dtype(kind)) for part in parts)
    return torch.cat(parts, 1)


def upsampled(cells: Tensor, size: torch.Size) -> Tensor:
    """(N, C, h, w) -> (N, C, *size), bilinear."""
    return F.interpolate(cells, size=size, mode="bilinear", align_corners=False)
