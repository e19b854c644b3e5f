from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from diffusers.models.controlnets.controlnet import ControlNetModel
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor

from unfade.diffusion.predict import predict

MakeControlNet = Callable[..., ControlNetModel]


@pytest.fixture
def inputs() -> tuple[Tensor, Tensor, Tensor]:
    g = torch.Generator().manual_seed(0)
    zt = torch.randn(2, 4, 8, 8, generator=g)
    return zt, torch.tensor([10, 900]), torch.randn(2, 5, 8, generator=g)


CONDITIONS = {
    ("pixel", False): (3, 32),
    ("pixel", True): (4, 32),
    ("latent", False): (4, 8),
    ("latent", True): (5, 8),
}


@pytest.mark.parametrize(("space", "mask"), CONDITIONS)
def test_an_untrained_controlnet_changes_nothing(
    unet: UNet2DConditionModel,
    make_controlnet: MakeControlNet,
    inputs: tuple[Tensor, Tensor, Tensor],
    space: str,
    mask: bool,
) -> None:
    channels, size = CONDITIONS[space, mask]
    condition = torch.rand(2, channels, size, size)
    net = make_controlnet(space, mask=mask, trained=False)
    assert torch.equal(predict(unet, net, *inputs, condition), predict(unet, None, *inputs, None))


@pytest.mark.parametrize(("space", "mask"), CONDITIONS)
def test_a_trained_controlnet_sees_its_condition(
    unet: UNet2DConditionModel,
    make_controlnet: MakeControlNet,
    inputs: tuple[Tensor, Tensor, Tensor],
    space: str,
    mask: bool,
) -> None:
    channels, size = CONDITIONS[space, mask]
    net = make_controlnet(space, mask=mask)
    condition = torch.rand(2, channels, size, size)
    out = predict(unet, net, *inputs, condition)
    assert out.shape == inputs[0].shape
    for channel in range(channels):
        other = condition.clone()
        other[0, channel] = 1 - other[0, channel]
        changed = predict(unet, net, *inputs, other)
        assert not torch.equal(changed[0], out[0])
        torch.testing.assert_close(changed[1], out[1])  # each sample by itself
