from __future__ import annotations

from typing import Any, cast

import pytest
import torch
from diffusers.models.upsampling import Upsample2D
from torch import nn

from unfade.models.folder import Base
from unfade.models.upsampling import split_upsampling


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_enlarging_on_small_maps_gives_the_same(layout: torch.memory_format) -> None:
    torch.manual_seed(0)
    layer = Upsample2D(6, use_conv=True, out_channels=4)
    cast(Any, layer).to(memory_format=layout)
    x = torch.randn(2, 6, 5, 7).to(memory_format=layout)
    with torch.no_grad():
        doubled, odd = layer(x), layer(x, (9, 14))
        assert split_upsampling(layer) == [layer]
        torch.testing.assert_close(layer(x), doubled, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(layer(x, (10, 14)), doubled, rtol=1e-5, atol=1e-5)
        assert layer(x).is_contiguous(memory_format=layout)
        assert torch.equal(layer(x, (9, 14)), odd)
        del layer.forward
        assert torch.equal(layer(x), doubled)


def test_networks_give_the_same_and_keep_their_weights(tiny_sd: Base) -> None:
    torch.manual_seed(0)
    z, text, t = torch.randn(1, 4, 16, 8), torch.randn(1, 10, 16), torch.tensor([500])

    def outputs() -> list[torch.Tensor]:
        with torch.no_grad():
            noise = tiny_sd.unet(z, t, encoder_hidden_states=text).sample
            return [cast(Any, tiny_sd.vae).decode(z).sample, noise]

    before, names = outputs(), list(tiny_sd.unet.state_dict())
    layers = [*split_upsampling(tiny_sd.vae), *split_upsampling(tiny_sd.unet)]
    try:
        assert len(layers) == 6 and list(tiny_sd.unet.state_dict()) == names
        for one, other in zip(before, outputs(), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)
    finally:
        for layer in layers:
            del layer.forward


def test_layers_that_work_in_another_way_are_left_alone() -> None:
    kinds = (
        Upsample2D(4),
        Upsample2D(4, use_conv_transpose=True),
        Upsample2D(4, True, interpolate=False),
    )
    assert split_upsampling(nn.ModuleList(kinds)) == []
