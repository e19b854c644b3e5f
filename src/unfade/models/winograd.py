"""3 x 3 convolutions of wide layers with a quarter of the multiplications, for processors.

Winograd's minimal filtering F(4 x 4, 3 x 3) (Lavin and Gray 2016, arXiv 1509.09308, section 4.1):
tiles of 6 x 6 cells and the weights are transformed, multiplied, and transformed back to 4 x 4
results. The same values come out but for rounding (2e-5 of the largest). The transforms are worth
their time where there are many channels.
"""

from __future__ import annotations

from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LEAST_CHANNELS = 256  # measured: with 128 channels the transforms take what the products save
LEAST_CELLS = 48 * 48  # smaller maps do not pay for the transform of the weights
CHUNK = 1 << 16  # tiles x channels in flight: what the caches of a core hold
_RESULT = ((1, 1, 1, 1, 1, 0), (0, 1, -1, 2, -2, 0), (0, 1, 1, 4, 4, 0), (0, 1, -1, 8, -8, 1))
_WEIGHTS = (
    (1 / 4, 0, 0), (-1 / 6, -1 / 6, -1 / 6), (-1 / 6, 1 / 6, -1 / 6),
    (1 / 24, 1 / 12, 1 / 6), (1 / 24, -1 / 12, 1 / 6), (0, 0, 1),
)  # fmt: skip


def use_winograd(network: nn.Module) -> list[nn.Conv2d]:
    """Lets the wide 3 x 3 convolutions of a network work by Winograd's algorithm.

    Each does so in float32, without gradients, on large maps; otherwise as before. Weights stay.

    Returns:
        The layers that were changed; `del layer.forward` gives each its own way back.
    """
    layers: list[nn.Conv2d] = []
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d) and _is_wide(layer):
            cast(Any, layer).forward = partial(_forward, layer)
            layers.append(layer)
    return layers


def _is_wide(conv: nn.Conv2d) -> bool:
    return (
        conv.kernel_size == (3, 3)
        and conv.stride == conv.dilation == conv.padding == (1, 1)
        and conv.padding_mode == "zeros"
        and conv.groups == 1
        and min(conv.in_channels, conv.out_channels) >= LEAST_CHANNELS
    )


def _forward(conv: nn.Conv2d, x: Tensor) -> Tensor:
    """(N, C, H, W) -> (N, D, H, W)."""
    exact = x.dtype == conv.weight.dtype == torch.float32 and not torch.is_autocast_enabled("cpu")
    large = x.shape[-2] * x.shape[-1] >= LEAST_CELLS
    if not (exact and large) or torch.is_grad_enabled() or x.device.type != "cpu":
        return nn.Conv2d.forward(conv, x)
    weights = _transformed_weights(conv.weight)
    maps = [_convolved(image, weights) for image in x.permute(0, 2, 3, 1)]
    out = torch.stack(maps) if len(maps) > 1 else maps[0][None]  # (N, H, W, D)
    if conv.bias is not None:
        out += conv.bias
    return out.permute(0, 3, 1, 2)


def _transformed_weights(weight: Tensor) -> Tensor:
    """(D, C, 3, 3) -> (36, C, D)."""
    matrix = torch.tensor(_WEIGHTS, dtype=torch.float64)
    matrix = torch.kron(matrix, matrix).float()  # (36, 9)
    outputs, inputs = weight.shape[:2]
    rows = weight.permute(2, 3, 1, 0).reshape(9, inputs * outputs)
    return (matrix @ rows).view(36, inputs, outputs)


def _convolved(image: Tensor, weights: Tensor) -> Tensor:
    """(H, W, C) and (36, C, D) -> (H, W, D)."""
    height, width, inputs = image.shape
    down, across, outputs = -(-height // 4), -(-width // 4), weights.shape[2]
    padded = F.pad(image, (0, 0, 1, 4 * across + 1 - width, 1, 4 * down + 1 - height))
    step = max(1, CHUNK // (across * inputs))
    result = torch.tensor(_RESULT, dtype=torch.float32)
    out = torch.empty(down, 4, across, 4, outputs)
    for top in range(0, down, step):
        band = padded[4 * top : 4 * min(top + step, down) + 2]
        products = torch.bmm(_transformed_tiles(band), weights)  # (36, T, D)
        half = (result @ products.view(6, -1)).view(4, 6, -1)  # (4, 6, T * D)
        tiles = (result @ half).view(4, 4, -1, across, outputs)  # (4, 4, rows, across, D)
        out[top : top + step] = tiles.permute(2, 0, 3, 1, 4)
    return out.view(4 * down, 4 * across, outputs)[:height, :width]


def _transformed_tiles(band: Tensor) -> Tensor:
    """(4 * rows + 2, 4 * across + 2, C) -> (36, rows * across, C)."""
    down = _transformed(band.unfold(0, 6, 4).movedim(-1, 0))  # (6, rows, 4 * across + 2, C)
    both = _transformed(down.unfold(2, 6, 4).movedim(-1, 0))  # (6 across, 6 down, ...)
    return both.transpose(0, 1).reshape(36, -1, band.shape[2])


def _transformed(x: Tensor) -> Tensor:
    """Six neighbouring cells (6, ...) -> their six combinations (6, ...)."""
    out = torch.empty(x.shape)
    even, odd = x[4] - 4 * x[2], x[3] - 4 * x[1]
    torch.add(even, odd, out=out[1])
    torch.sub(even, odd, out=out[2])
    even, odd = x[4] - x[2], 2 * (x[3] - x[1])
    torch.add(even, odd, out=out[3])
    torch.sub(even, odd, out=out[4])
    torch.add(torch.add(x[4], x[2], alpha=-5), x[0], alpha=4, out=out[0])
    torch.add(torch.add(x[5], x[3], alpha=-5), x[1], alpha=4, out=out[5])
    return out
