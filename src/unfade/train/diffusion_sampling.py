"""Samples latents from noise with DDIM, for previews and to train the CFW on its output."""

from __future__ import annotations

import torch
from diffusers.models.controlnets.controlnet import ControlNetModel
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor

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
