"""Loads the diffusion model; only this module imports diffusers and transformers for it."""

from __future__ import annotations

from typing import Any, cast

import torch

from unfade.models.cfw import Cfw
from unfade.models.folder import check_fit, load_base, load_part
from unfade.models.inference import placed
from unfade.models.presets import SD21
from unfade.models.sources import find_base, find_controlnet
from unfade.pipeline.diffusion import RestorationPipeline
from unfade.pipeline.weights import DiffusionWeights


def load_pipeline(weights: DiffusionWeights, device: torch.device) -> RestorationPipeline:
    """The diffusion model, ready to restore, on a device.

    Raises:
        WeightsError: a part is missing, damaged, not the one that the preset names, or made for
            another base model.
    """
    weights.require()
    weights.verify()
    folder = weights.preset.folder
    if weights.base is not None:
        base = find_base(weights.base)
    else:
        base = find_base() if weights.preset.name == SD21 else load_base(folder)
    controlnet = find_controlnet(folder if weights.controlnet is None else weights.controlnet)
    check_fit(base, controlnet)
    cfw = None if weights.cfw is None else load_part(weights.cfw, Cfw)
    for network in (base.vae, base.unet, controlnet, *([] if cfw is None else [cfw])):
        placed(network, device)
    cast(Any, base.text_encoder).to(device)
    pipeline = RestorationPipeline.from_base(base, controlnet, cfw)
    _ = pipeline.networks  # what it cannot obey is told now
    return pipeline
