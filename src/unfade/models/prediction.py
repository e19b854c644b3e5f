"""Determines from a UNet's output whether it predicts the noise or v (arXiv 2202.00512)."""

from __future__ import annotations

from typing import Any, cast

import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch.nn import functional as F

from unfade.errors import UsageError
from unfade.models.tensors import from_array
from unfade.options import Prediction
from unfade.rng import generator

#: A cosine from which on the output is the noise, and one up to which it is not.
_NOISE, _OTHER = 0.8, 0.5
_SIDE = 32  # cells of the latent: enough for thousands of numbers


def scheduler_name(prediction: Prediction) -> str:
    """The name of a prediction in diffusers' schedulers."""
    return "epsilon" if prediction == "epsilon" else "v_prediction"


def noise_likeness(unet: UNet2DConditionModel, last: int) -> float:
    """The cosine between pure noise and a UNet's output for it at the last timestep.

    At the last timestep the input is almost the noise alone. A UNet that predicts the noise gives
    it back: the cosine is near 1. v is there almost the negative clean latent, which does not
    depend on the noise: the cosine is near 0.

    The text is one token of zeros: at that timestep it hardly counts.

    Args:
        last: T - 1.
    """
    config = cast(Any, unet).config
    channels = int(config.in_channels)
    array = generator(0, "prediction").standard_normal((1, channels, _SIDE, _SIDE), "float32")
    noise = from_array(array).to(unet.device, unet.dtype)  # (1, C, 32, 32)
    t = torch.tensor([last], device=unet.device)
    text = noise.new_zeros(1, 1, int(config.cross_attention_dim))  # (1, L, D)
    with torch.inference_mode():
        out = cast(Any, unet)(noise, t, encoder_hidden_states=text, return_dict=False)[0]
    return float(F.cosine_similarity(out.float().flatten(), noise.float().flatten(), dim=0))


def find_prediction(unet: UNet2DConditionModel, last: int) -> Prediction:
    """The prediction type of a UNet, by `noise_likeness`.

    Raises:
        UsageError: the measure does not tell.
    """
    cosine = noise_likeness(unet, last)
    if cosine >= _NOISE:
        return "epsilon"
    if cosine <= _OTHER:
        return "v"
    raise UsageError(
        f"a UNet whose output from pure noise has the cosine {cosine:.2f} with it",
        f"{_NOISE:g} or more (it predicts the noise) or at most {_OTHER:g} (it predicts v)",
        "say which: prediction='epsilon' or prediction='v'",
    )
