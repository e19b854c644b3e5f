"""Speeds up the upsampling convolutions of diffusers' networks on processors (4/9 of the work).

Upsample2D repeats each cell twice in both directions, then convolves 3 x 3. Each of the four cells
of the result that stem from one cell sees 2 x 2 different cells only, with sums of the 9 weights:
four convolutions of 2 x 2 on the small map give the same, but for rounding.
"""

from __future__ import annotations

from functools import partial
from typing import Any, cast

import torch
from diffusers.models.upsampling import Upsample2D
from torch import Tensor, nn
from torch.nn import functional as F

#: Which of the three weights of a side fall on each of the two cells, for the first and the second
#: of two neighbouring results.
_SUMS = (((1.0, 0.0, 0.0), (0.0, 1.0, 1.0)), ((1.0, 1.0, 0.0), (0.0, 0.0, 1.0)))


def split_upsampling(network: nn.Module) -> list[Upsample2D]:
    """Lets the enlarging convolutions of a network work on small maps; its weights stay.

    Returns:
        The layers that were changed; `del layer.forward` gives each its own way back.
    """
    layers: list[Upsample2D] = []
    for layer in network.modules():
        if isinstance(layer, Upsample2D) and _is_plain(layer):
            cast(Any, layer).forward = partial(_forward, layer)
            layers.append(layer)
    return layers


def _is_plain(layer: Upsample2D) -> bool:
    conv = getattr(layer, "conv", None)
    return (
        layer.interpolate
        and layer.norm is None
        and isinstance(conv, nn.Conv2d)
        and conv.kernel_size == (3, 3)
        and conv.padding == (1, 1)
        and conv.groups == 1
    )


def _forward(
    layer: Upsample2D, hidden_states: Tensor, output_size: tuple[int, int] | None = None
) -> Tensor:
    """(N, C, h, w) -> (N, D, 2h, 2w); other sizes take diffusers' way."""
    height, width = hidden_states.shape[-2:]
    if output_size is not None and tuple(output_size) != (2 * height, 2 * width):
        return cast(Any, Upsample2D).forward(layer, hidden_states, output_size)
    conv = cast(nn.Conv2d, layer.conv)
    weights = _summed(conv.weight)
    padded = F.pad(hidden_states, (1, 1, 1, 1))  # (N, C, h + 2, w + 2)
    out: Tensor | None = None
    for y in (0, 1):
        for x in (0, 1):
            part = padded[..., y : y + height + 1, x : x + width + 1]
            value = F.conv2d(part, weights[y][x], conv.bias)  # (N, D, h, w)
            if out is None:
                shape = (len(value), value.shape[1], 2 * height, 2 * width)
                out = torch.empty(
                    shape, dtype=value.dtype, device=value.device, memory_format=_layout_of(padded)
                )
            out[..., y::2, x::2] = value
    assert out is not None
    return out


def _summed(weight: Tensor) -> list[list[Tensor]]:
    """(D, C, 3, 3) -> for each of 2 x 2 results (D, C, 2, 2), summed in float32."""
    with torch.autocast(weight.device.type, enabled=False):
        sums = torch.tensor(_SUMS, device=weight.device)  # (2, 2, 3)
        return [
            [
                torch.einsum("ay,bx,dcyx->dcab", sums[y], sums[x], weight.float()).to(weight.dtype)
                for x in (0, 1)
            ]
            for y in (0, 1)
        ]


def _layout_of(x: Tensor) -> torch.memory_format:
    last = x.is_contiguous(memory_format=torch.channels_last)
    return torch.channels_last if last else torch.contiguous_format
