"""Prepares the trainings of the diffusion model's parts, by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

from unfade.data.sources import CleanPhoto
from unfade.models.folder import load_part
from unfade.models.inference import Precision
from unfade.models.sources import find_base, find_controlnet
from unfade.train.cfw import CfwRecipe, CfwTask
from unfade.train.controlnet import ControlnetRecipe, ControlnetTask
from unfade.train.inputs import Inputs
from unfade.train.prior import PriorRecipe, PriorTask
from unfade.train.task import Task
from unfade.train.vae import VaeRecipe, VaeTask

N = TypeVar("N")

RECIPES: dict[str, Any] = {
    "vae": VaeRecipe, "prior": PriorRecipe, "controlnet": ControlnetRecipe, "cfw": CfwRecipe,
}  # fmt: skip


def prepare(
    name: str, recipe: Any, inputs: Inputs, photos: Sequence[CleanPhoto], cache: Path,
    device: torch.device, progress: Callable[[int], None],
) -> Task:  # fmt: skip
    """Prepares a task: loads its frozen networks to a device and computes its latents.

    Args:
        name: vae, prior, controlnet or cfw.
        cache: folder for latents.
        progress: called with the number of photos whose latents are there, from 0.

    Raises:
        UsageError: the recipe, or what it needs besides, is wrong or missing.
        WeightsError: frozen weights are missing or damaged.
    """
    if name == "vae":
        if recipe.decoder_only:
            inputs.needed_start()
        return VaeTask(recipe, photos)
    if name == "prior":
        if recipe.frozen_text:
            inputs.needed_start()
        vae = load_part(Path(inputs.needed_base()) / "vae", AutoencoderKL)
        progress(0)
        return PriorTask(recipe, photos, _on(vae, device), cache, progress=progress)
    dtype = frozen_dtype(device, recipe.loop.precision)
    base = find_base(inputs.needed_base(), dtype=dtype)
    for network in (base.vae, base.unet, base.text_encoder):
        _on(network, device)
    if name == "controlnet":
        progress(0)
        return ControlnetTask(recipe, photos, base, cache, progress=progress)
    controlnet = find_controlnet(inputs.needed_controlnet(), dtype=dtype)
    progress(0)
    return CfwTask(recipe, photos, base, _on(controlnet, device), cache, progress=progress)


def frozen_dtype(device: torch.device, precision: Precision) -> torch.dtype:
    """The dtype of a frozen UNet's weights: bf16 where the recipe or the GPU has it, else fp32.

    The products are in bf16 there anyway; its weights take half of the memory.
    """
    if precision == "auto":
        cuda = device.type == "cuda"
        half = cuda and torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        half = precision == "bf16"
    return torch.bfloat16 if half else torch.float32


def _on(network: N, device: torch.device) -> N:
    return cast(N, cast(Any, network).to(device))
