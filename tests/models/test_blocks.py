from __future__ import annotations

import pytest
import torch

from unfade.models.blocks import UNet


@pytest.mark.parametrize("levels", [2, 3, 4])
def test_unet_keeps_the_size_at_multiples_of_its_stride(levels: int) -> None:
    net = UNet(3, 2, [8] * levels, [1] * levels, norm=True).eval()
    assert net.stride == 2**levels
    with torch.no_grad():
        assert net(torch.rand(2, 3, 2 * net.stride, 3 * net.stride)).shape == (
            2,
            2,
            2 * net.stride,
            3 * net.stride,
        )


def test_unet_sees_every_pixel_around() -> None:
    torch.manual_seed(0)
    net = UNet(1, 1, [8, 8, 8, 8], [1, 1, 1, 1], norm=True).eval()
    x = torch.rand(1, 1, 64, 64, requires_grad=True)
    net(x)[0, 0, 32, 32].backward()
    assert x.grad is not None and (x.grad != 0).float().mean() > 0.8
