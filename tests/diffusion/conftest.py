from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.controlnets.controlnet import ControlNetModel
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

from unfade.models.compact import UnetConfig, VaeConfig, build_controlnet, build_unet, build_vae


@pytest.fixture
def unet() -> UNet2DConditionModel:
    """A tiny random UNet over 4 latent channels that halves the latent once."""
    torch.manual_seed(0)
    config = UnetConfig(widths=[8, 16], heads=[1, 2], latent_channels=4, text_width=8, groups=4)
    return build_unet(config).eval().requires_grad_(False)


@pytest.fixture
def vae() -> AutoencoderKL:
    """A tiny random autoencoder, 4 times smaller, 4 latent channels."""
    torch.manual_seed(0)
    model = build_vae(VaeConfig(patch=1, widths=[4, 8, 8], latent_channels=4, groups=4))
    return model.eval().requires_grad_(False)


@pytest.fixture
def make_controlnet(unet: UNet2DConditionModel) -> Callable[..., ControlNetModel]:
    """A ControlNet of the tiny UNet whose zero convolutions are no longer zero."""

    def make(space: str = "pixel", *, mask: bool = False, trained: bool = True) -> ControlNetModel:
        torch.manual_seed(1)
        net = build_controlnet(unet, space=space, mask=mask, widths=(4, 8, 8))  # pyright: ignore
        if trained:
            for parameter in net.parameters():
                if not parameter.any():
                    torch.nn.init.normal_(parameter, std=0.3)
        return net.eval().requires_grad_(False)

    return make
