"""Inception-v3 as FID and KID use it, from the published weights, without torchvision.

The network of Szegedy et al. (2015) in the version of TensorFlow's 2015-12-05 graph, which Heusel
et al. (2017) measured FID with: averages leave out the padding, and the last block takes a maximum
where the one before it averages. Names of layers are torchvision's, so that the ported weights fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from unfade.eval.distances import Features
from unfade.eval.images import Image
from unfade.eval.pretrained import as_tensor, load_pretrained, read_state
from unfade.eval.weights import INCEPTION, require

SIDE = 299  # pixels of the network's input
Size = int | tuple[int, int]


class _Conv(nn.Module):
    """Convolution, batch normalisation, ReLU."""

    def __init__(
        self, inside: int, out: int, size: Size, *, stride: int = 1, padding: Size = 0
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inside, out, size, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(out, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)))


class _Block(nn.Module):
    """Branches side by side: each a chain of layers, by their names; `-` is the pooled input."""

    def __init__(self, chains: Sequence[str], pool: str) -> None:
        super().__init__()
        self.chains, self.pool = chains, pool

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, h, w) -> (N, C', h', w'), the branches one after the other."""
        return torch.cat([self._run(chain, x) for chain in self.chains], 1)

    def _run(self, chain: str, x: Tensor) -> Tensor:
        for name in chain.split():
            if name == "-":
                x = _pooled(x, self.pool)
            elif "+" in name:  # two layers of one input
                x = torch.cat([self._layer(part, x) for part in name.split("+")], 1)
            else:
                x = self._layer(name, x)
        return x

    def _layer(self, name: str, x: Tensor) -> Tensor:
        return cast(Tensor, self.get_submodule(name)(x))


def _pooled(x: Tensor, kind: str) -> Tensor:
    if kind == "reduce":
        return F.max_pool2d(x, 3, 2)
    if kind == "max":
        return F.max_pool2d(x, 3, 1, 1)
    return F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)


class _BlockA(_Block):
    def __init__(self, inside: int, tail_mean: int) -> None:
        three = "branch3x3dbl_1 branch3x3dbl_2 branch3x3dbl_3"
        super().__init__(["branch1x1", "branch5x5_1 branch5x5_2", three, "- branch_pool"], "mean")
        self.branch1x1 = _Conv(inside, 64, 1)
        self.branch5x5_1 = _Conv(inside, 48, 1)
        self.branch5x5_2 = _Conv(48, 64, 5, padding=2)
        self.branch3x3dbl_1 = _Conv(inside, 64, 1)
        self.branch3x3dbl_2 = _Conv(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = _Conv(96, 96, 3, padding=1)
        self.branch_pool = _Conv(inside, tail_mean, 1)


class _BlockB(_Block):
    def __init__(self, inside: int) -> None:
        three = "branch3x3dbl_1 branch3x3dbl_2 branch3x3dbl_3"
        super().__init__(["branch3x3", three, "-"], "reduce")
        self.branch3x3 = _Conv(inside, 384, 3, stride=2)
        self.branch3x3dbl_1 = _Conv(inside, 64, 1)
        self.branch3x3dbl_2 = _Conv(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = _Conv(96, 96, 3, stride=2)


class _BlockC(_Block):
    def __init__(self, width: int) -> None:
        seven = "branch7x7_1 branch7x7_2 branch7x7_3"
        double = " ".join(f"branch7x7dbl_{i}" for i in range(1, 6))
        super().__init__(["branch1x1", seven, double, "- branch_pool"], "mean")
        across, down = (1, 7), (7, 1)
        wide, tall = (0, 3), (3, 0)
        self.branch1x1 = _Conv(768, 192, 1)
        self.branch7x7_1 = _Conv(768, width, 1)
        self.branch7x7_2 = _Conv(width, width, across, padding=wide)
        self.branch7x7_3 = _Conv(width, 192, down, padding=tall)
        self.branch7x7dbl_1 = _Conv(768, width, 1)
        self.branch7x7dbl_2 = _Conv(width, width, down, padding=tall)
        self.branch7x7dbl_3 = _Conv(width, width, across, padding=wide)
        self.branch7x7dbl_4 = _Conv(width, width, down, padding=tall)
        self.branch7x7dbl_5 = _Conv(width, 192, across, padding=wide)
        self.branch_pool = _Conv(768, 192, 1)


class _BlockD(_Block):
    def __init__(self) -> None:
        seven = " ".join(f"branch7x7x3_{i}" for i in range(1, 5))
        super().__init__(["branch3x3_1 branch3x3_2", seven, "-"], "reduce")
        self.branch3x3_1 = _Conv(768, 192, 1)
        self.branch3x3_2 = _Conv(192, 320, 3, stride=2)
        self.branch7x7x3_1 = _Conv(768, 192, 1)
        self.branch7x7x3_2 = _Conv(192, 192, (1, 7), padding=(0, 3))
        self.branch7x7x3_3 = _Conv(192, 192, (7, 1), padding=(3, 0))
        self.branch7x7x3_4 = _Conv(192, 192, 3, stride=2)


class _BlockE(_Block):
    def __init__(self, inside: int, pool: str) -> None:
        three = "branch3x3_1 branch3x3_2a+branch3x3_2b"
        double = "branch3x3dbl_1 branch3x3dbl_2 branch3x3dbl_3a+branch3x3dbl_3b"
        super().__init__(["branch1x1", three, double, "- branch_pool"], pool)
        across, down = (1, 3), (3, 1)
        wide, tall = (0, 1), (1, 0)
        self.branch1x1 = _Conv(inside, 320, 1)
        self.branch3x3_1 = _Conv(inside, 384, 1)
        self.branch3x3_2a = _Conv(384, 384, across, padding=wide)
        self.branch3x3_2b = _Conv(384, 384, down, padding=tall)
        self.branch3x3dbl_1 = _Conv(inside, 448, 1)
        self.branch3x3dbl_2 = _Conv(448, 384, 3, padding=1)
        self.branch3x3dbl_3a = _Conv(384, 384, across, padding=wide)
        self.branch3x3dbl_3b = _Conv(384, 384, down, padding=tall)
        self.branch_pool = _Conv(inside, 192, 1)


class Inception(nn.Module):
    """The network up to its last average; `fc` is there for the weights' sake."""

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = _Conv(3, 32, 3, stride=2)
        self.Conv2d_2a_3x3 = _Conv(32, 32, 3)
        self.Conv2d_2b_3x3 = _Conv(32, 64, 3, padding=1)
        self.Conv2d_3b_1x1 = _Conv(64, 80, 1)
        self.Conv2d_4a_3x3 = _Conv(80, 192, 3)
        self.Mixed_5b, self.Mixed_5c = _BlockA(192, 32), _BlockA(256, 64)
        self.Mixed_5d, self.Mixed_6a = _BlockA(288, 64), _BlockB(288)
        self.Mixed_6b, self.Mixed_6c = _BlockC(128), _BlockC(160)
        self.Mixed_6d, self.Mixed_6e = _BlockC(160), _BlockC(192)
        self.Mixed_7a = _BlockD()
        self.Mixed_7b, self.Mixed_7c = _BlockE(1280, "mean"), _BlockE(2048, "max")
        self.fc = nn.Linear(2048, 1008)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) in [0, 1] -> (N, 2048)."""
        x = F.interpolate(x, (SIDE, SIDE), mode="bilinear", align_corners=False)
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(2 * x - 1)))
        x = self.Conv2d_3b_1x1(F.max_pool2d(x, 3, 2))
        x = F.max_pool2d(self.Conv2d_4a_3x3(x), 3, 2)  # (N, 192, 35, 35)
        for name in ("5b", "5c", "5d", "6a", "6b", "6c", "6d", "6e", "7a", "7b", "7c"):
            x = cast(Tensor, self.get_submodule(f"Mixed_{name}")(x))
        return x.mean((2, 3))  # of (N, 2048, 8, 8)


def load_inception() -> Inception:
    """The published network.

    Raises:
        WeightsError: the weights are missing or are others.
    """
    path = require("inception") / INCEPTION
    with torch.device("meta"):  # its own numbers would be thrown away
        network = Inception()
    load_pretrained(network.to_empty(device="cpu"), path, read_state(path))
    return network


def inception_features(image: Image, network: Inception) -> Features:
    """(H, W, 3) sRGB [0, 1] -> (1, 2048), resized bilinearly as pytorch-fid does."""
    with torch.inference_mode():
        return network(as_tensor(image, network)).double().cpu().numpy()
