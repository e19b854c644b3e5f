"""Samples latents from noise with DDIM and decodes them, for previews and to train the CFW."""

from __future__ import annotations

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.controlnets.controlnet import ControlNetModel
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor

from unfade.diffusion.condition import decode
from unfade.diffusion.predict import predict
from unfade.diffusion.sample import sample
from unfade.diffusion.schedule import Schedule, timesteps


def sample_z0(
    schedule: Schedule,
    unet: UNet2DConditionModel,
    controlnet: ControlNetModel | None,
    noise: Tensor,
    text: Tensor,
    condition: Tensor | None,
    *,
    steps: int,
) -> Tensor:
    """DDIM from pure noise, without gradient and without guidance.

    Args:
        noise: (N, C, h, w), Gaussian.
        text: (N, L, D), embedded prompts.
        condition: input of the ControlNet; None without a ControlNet.

    Returns:
        (N, C, h, w), scaled latents.
    """

    def model(zt: Tensor, t: Tensor, z0_hat: Tensor | None) -> Tensor:
        return predict(unet, controlnet, zt, t, text, condition)

    with torch.no_grad():
        return sample(schedule, noise, timesteps(steps, 1.0, schedule.steps), model)


def decode_each(vae: AutoencoderKL, z0: Tensor) -> Tensor:
    """(N, C, h, w), scaled latents -> (N, 3, H, W), about [0, 1], not clipped; without gradient.

    One goes through the decoder at a time: its widest layers take more memory than the rest of a
    step (0.6 GiB for a photo of 512 x 512 pixels and Stable Diffusion's).
    """
    with torch.no_grad():
        return torch.cat([decode(vae, z) for z in z0.chunk(len(z0))])
