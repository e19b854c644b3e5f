from __future__ import annotations

from typing import Any, cast

import pytest
import torch
from torch import nn

from unfade.models import winograd
from unfade.models.winograd import use_winograd


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("size", [(48, 48), (50, 49), (51, 75)])
def test_wide_layers_give_the_same(layout: torch.memory_format, size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    conv = cast(Any, nn.Conv2d(256, 320, 3, padding=1)).to(memory_format=layout)
    x = torch.randn(2, 256, *size).to(memory_format=layout)
    with torch.no_grad():
        expected = conv(x)
        assert use_winograd(nn.Sequential(conv)) == [conv]
        given = conv(x)
        assert not torch.equal(given, expected)  # it did go the other way
        torch.testing.assert_close(given, expected, rtol=1e-4, atol=1e-4)
        assert torch.equal(conv(x[1:]), given[1:])  # at any batch size
        del conv.forward
        assert torch.equal(conv(x), expected)


def test_gradients_half_precision_and_small_maps_take_the_usual_way() -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(256, 256, 3, padding=1)
    x = torch.randn(1, 256, 48, 48)
    usual = conv(x)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        half = conv(x)
    use_winograd(conv)
    assert torch.equal(conv(x), usual)
    with torch.no_grad():
        assert torch.equal(conv(x[..., :40]), nn.Conv2d.forward(conv, x[..., :40]))
        with torch.autocast("cpu", torch.bfloat16):
            assert torch.equal(conv(x), half)


def test_layers_of_other_shapes_are_left_alone() -> None:
    least = winograd.LEAST_CHANNELS
    kinds = (
        nn.Conv2d(least // 2, least, 3, padding=1),
        nn.Conv2d(least, least, 1),
        nn.Conv2d(least, least, 3, padding=1, stride=2),
        nn.Conv2d(least, least, 3),
        nn.Conv2d(least, least, 3, padding=1, groups=2),
    )
    assert use_winograd(nn.ModuleList(kinds)) == []
