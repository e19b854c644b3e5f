"""Runs one forward pass of ControlNet and UNet, for training and restoring."""

from __future__ import annotations

from typing import Any, cast

from diffusers.models.controlnets.controlnet import ControlNetModel
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor


def predict(
    unet: UNet2DConditionModel,
    controlnet: ControlNetModel | None,
    zt: Tensor,
    t: Tensor,
    text: Tensor,
    condition: Tensor | None,
) -> Tensor:
    """The network's prediction: eps or v, depending on its scheduler.

    Args:
        controlnet: None runs the base model without a condition.
        zt: (N, C, h, w), the noised latent.
        t: (N,), timesteps.
        text: (N, L, D), embedded prompts.
        condition: input of the ControlNet, (N, 3 or 4, H, W) or (N, C or C + 1, h, w).

    Returns:
        (N, C, h, w).
    """
    if controlnet is None:
        out = cast(Any, unet)(zt, t, encoder_hidden_states=text, return_dict=False)
        return out[0]
    down, middle = cast(Any, controlnet)(
        zt, t, encoder_hidden_states=text, controlnet_cond=condition, return_dict=False
    )
    out = cast(Any, unet)(
        zt,
        t,
        encoder_hidden_states=text,
        return_dict=False,
        down_block_additional_residuals=down,
        mid_block_additional_residual=middle,
    )
    return out[0]
