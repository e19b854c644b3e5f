"""The image encoder of CLIP's ResNet-50, without its positional embedding.

Radford et al. (2021), "Learning transferable visual models from natural language supervision",
section 2.4. It differs from the ResNet-50 of He et al. (2016) in three ways: the stem has three
convolutions, strides are averages before a convolution of stride 1, and the last average is an
attention whose query is the mean of the features. Wang, Chan and Loy (2023) leave out the
positional embedding of that attention, so that pictures of any size fit. Names of layers are those
of the published weights.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

STRIDE = 32  # pixels of the picture for each place of the last features
_WIDENING = 4  # channels after a block over those inside it
_HEAD = 64  # channels of an attention head


class _Block(nn.Module):
    """Convolutions of 1, 3 and 1 pixels around a shortcut; the stride is an average."""

    def __init__(self, inside: int, width: int, stride: int) -> None:
        super().__init__()
        out = width * _WIDENING
        self.conv1, self.bn1 = nn.Conv2d(inside, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3, self.bn3 = nn.Conv2d(width, out, 1, bias=False), nn.BatchNorm2d(out)
        self.stride = stride
        self.downsample: nn.Sequential | None = None
        if stride > 1 or inside != out:
            self.downsample = nn.Sequential(
                nn.Conv2d(inside, out, 1, bias=False), nn.BatchNorm2d(out)
            )

    def forward(self, x: Tensor) -> Tensor:
        """(N, inside, h, w) -> (N, 4 width, h // stride, w // stride)."""
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(_averaged(y, self.stride)))
        if self.downsample is not None:
            x = self.downsample(_averaged(x, self.stride))
        return F.relu(x + y)


class AttentionPool(nn.Module):
    """One output for all places: attention of their mean over the mean and the places."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.q_proj, self.k_proj = nn.Linear(channels, channels), nn.Linear(channels, channels)
        self.v_proj, self.c_proj = nn.Linear(channels, channels), nn.Linear(channels, out)
        self.heads = max(1, channels // _HEAD)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, h, w) -> (N, out)."""
        cells = x.flatten(2).transpose(1, 2)  # (N, h w, C)
        mean = cells.mean(1, keepdim=True)  # (N, 1, C)
        tokens = torch.cat([mean, cells], 1)  # (N, 1 + h w, C)
        query, key = self._split(self.q_proj(mean)), self._split(self.k_proj(tokens))
        attended = F.scaled_dot_product_attention(query, key, self._split(self.v_proj(tokens)))
        return self.c_proj(attended.flatten(1))  # of (N, heads, 1, C / heads)

    def _split(self, x: Tensor) -> Tensor:
        """(N, L, C) -> (N, heads, L, C / heads)."""
        return x.reshape(*x.shape[:2], self.heads, -1).transpose(1, 2)


class ClipResNet(nn.Module):
    """The encoder.

    Args:
        layers: blocks of the four stages; 3, 4, 6, 3 for ResNet-50.
        width: channels of the first stage; 64 for ResNet-50.
        out: length of the embedding; 1024 for ResNet-50.
    """

    def __init__(self, layers: Sequence[int], width: int, out: int) -> None:
        super().__init__()
        half = width // 2
        self.conv1 = nn.Conv2d(3, half, 3, 2, 1, bias=False)
        self.conv2 = nn.Conv2d(half, half, 3, padding=1, bias=False)
        self.conv3 = nn.Conv2d(half, width, 3, padding=1, bias=False)
        self.bn1, self.bn2 = nn.BatchNorm2d(half), nn.BatchNorm2d(half)
        self.bn3 = nn.BatchNorm2d(width)
        inside = width
        stages: list[nn.Sequential] = []
        for stage, blocks in enumerate(layers):
            inner = width * 2**stage
            first = _Block(inside, inner, 2 if stage else 1)
            inside = inner * _WIDENING
            others = (_Block(inside, inner, 1) for _ in range(1, blocks))
            stages.append(nn.Sequential(first, *others))
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.attnpool = AttentionPool(inside, out)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W), normalised, sides of 32 up -> (N, out), not of unit length."""
        x = F.relu(self.bn1(self.conv1(x)))  # (N, width / 2, ceil(H / 2), ceil(W / 2))
        x = F.relu(self.bn2(self.conv2(x)))
        x = _averaged(F.relu(self.bn3(self.conv3(x))), 2)  # (N, width, H / 4, W / 4)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))  # (N, 32 width, H / 32, W / 32)
        return self.attnpool(x)


def _averaged(x: Tensor, size: int) -> Tensor:
    """The mean of each square; what is left over at the end is dropped, as in the original."""
    return F.avg_pool2d(x, size) if size > 1 else x
