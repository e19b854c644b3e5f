"""Loads the diffusion model; only this module imports diffusers and transformers for it."""

from __future__ import annotations

from typing import Any, cast

import torch

from unfade.models.cfw import Cfw
from unfade.models.folder import check_fit, load_base, load_part
from unfade.models.inference import check_compiler, to_device, weights_dtype
from unfade.models.presets import SD21
from unfade.models.sd21 import SD21_ID
from unfade.models.sources import find_base, find_controlnet
from unfade.models.upsampling import split_upsampling
from unfade.models.winograd import use_winograd
from unfade.options import Dtype
from unfade.pipeline.diffusion import RestorationPipeline, out_of_memory
from unfade.pipeline.weights import DiffusionWeights


def load_pipeline(
    weights: DiffusionWeights, device: torch.device, *, dtype: Dtype = "auto",
    offload: bool = False, compiled: bool = False,
) -> RestorationPipeline:  # fmt: skip
    """The diffusion model, ready to restore, on a device.

    Args:
        dtype: of the weights of UNet, ControlNet and text encoder (`weights_dtype`). The
            autoencoder keeps fp32: it is small, and its last layer shows the steps of bf16.
        offload: keep each network on the processor, but while it runs.
        compiled: let torch.compile translate the networks.

    Raises:
        UsageError: a type that the device does not have, too little memory on it, or no compiler.
        WeightsError: a part is missing, damaged, not the one that the preset names, or made for
            another base model.
    """
    kind = weights_dtype(dtype, device)
    if compiled:
        check_compiler(device)
    weights.require()
    weights.verify()
    folder = weights.preset.folder
    if weights.base is not None or weights.preset.name == SD21:
        source = SD21_ID if weights.base is None else weights.base
        base = find_base(source, dtype=kind, prediction=weights.prediction)
    else:
        base = load_base(folder, dtype=kind, prediction=weights.prediction)
    controlnet = None
    if not weights.lacks_controlnet:
        source = folder if weights.controlnet is None else weights.controlnet
        controlnet = find_controlnet(source, dtype=kind)
        check_fit(base, controlnet)
    cfw = None if weights.cfw is None else load_part(weights.cfw, Cfw)
    target = torch.device("cpu") if offload else device
    try:
        for network in (base.vae, base.unet, controlnet, cfw):
            if network is not None:
                to_device(network, target)
        cast(Any, base.text_encoder).to(target)
    except torch.OutOfMemoryError as error:
        raise out_of_memory(device) from error
    pipeline = RestorationPipeline.from_base(base, controlnet, cfw)
    pipeline.offload_to = device if offload else None
    if device.type == "cpu":
        for network in (base.vae, base.unet):
            split_upsampling(network)
            if not compiled:
                use_winograd(network)
    if compiled:
        pipeline.compile_networks()
    _ = pipeline.networks  # raises errors of unsupported networks
    return pipeline
