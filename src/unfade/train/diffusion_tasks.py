"""The trainings of the diffusion model's parts, by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

from unfade.data.sources import CleanPhoto
from unfade.models.folder import load_part
from unfade.models.sources import find_base, find_controlnet
from unfade.train.cfw import CfwRecipe, CfwTask
from unfade.train.controlnet import ControlnetRecipe, ControlnetTask
from unfade.train.inputs import Inputs
from unfade.train.prior import PriorRecipe, PriorTask
from unfade.train.task import Task
from unfade.train.vae import VaeRecipe, VaeTask


def prepare(
    name: str, inputs: Inputs, photos: Sequence[CleanPhoto], cache: Path,
    progress: Callable[[int], None],
) -> tuple[Task, Any]:  # fmt: skip
    """A task and its recipe.

    Args:
        name: vae, prior, controlnet or cfw.
        cache: where latents are kept.
        progress: called with the number of photos whose latents are there.

    Raises:
        UsageError: the recipe, or what it needs besides, is wrong or missing.
        WeightsError: frozen weights are missing or damaged.
    """
    if name == "vae":
        vae = inputs.read(VaeRecipe)
        if vae.decoder_only:
            inputs.needed_start()
        return VaeTask(vae, photos), vae
    if name == "prior":
        prior = inputs.read(PriorRecipe)
        if prior.frozen_text:
            inputs.needed_start()
        frozen = load_part(Path(inputs.needed_base()) / "vae", AutoencoderKL)
        return PriorTask(prior, photos, frozen, cache, progress=progress), prior
    if name == "controlnet":
        recipe = inputs.read(ControlnetRecipe)
        base = find_base(inputs.needed_base())
        return ControlnetTask(recipe, photos, base, cache, progress=progress), recipe
    cfw = inputs.read(CfwRecipe)
    base, controlnet = find_base(inputs.needed_base()), find_controlnet(inputs.needed_controlnet())
    return CfwTask(cfw, photos, base, controlnet, cache, progress=progress), cfw
