"""Loads Stable Diffusion 1.x or 2.x, or a ControlNet, from one .safetensors file.

The tensors have the names that the original authors gave them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar, cast

import torch
from diffusers.loaders import single_file_utils
from diffusers.models.controlnets.controlnet import ControlNetModel
from torch import Tensor

from unfade.errors import WeightsError, first_line
from unfade.models import sd15, sd21
from unfade.models.folder import Base, Part, load_tokenizer
from unfade.models.prediction import find_prediction, scheduler_name
from unfade.models.tensors import read_tensors
from unfade.options import PREDICTIONS, Prediction

P = TypeVar("P", bound=Part)


@dataclass(frozen=True)
class _Family:
    """What the models of one generation share.

    Attributes:
        tokenizer: the repository on the hub that has the tokenizer, ID and revision.
    """

    name: str
    tokenizer: tuple[str, str]
    vae: dict[str, Any]
    unet: dict[str, Any]
    text_encoder: dict[str, Any]
    scheduler: dict[str, Any]

    def with_configs(self, folder: Path) -> _Family:
        """The same with what the configurations in a folder say."""
        parts = ("vae", "unet", "text_encoder", "scheduler")
        return replace(self, **{x: _read_config(folder / x, getattr(self, x)) for x in parts})


_SD1 = _Family(
    "1.x",
    (sd15.SD15_ID, sd15.SD15_REVISION),
    sd15.VAE,
    sd15.UNET,
    sd15.TEXT_ENCODER,
    sd15.SCHEDULER,
)
_SD2 = _Family(
    "2.x",
    (sd21.SD21_ID, sd21.SD21_REVISION),
    sd21.VAE,
    sd21.UNET,
    sd21.TEXT_ENCODER,
    sd21.SCHEDULER,
)


def load_single_file(
    path: Path, *, dtype: torch.dtype = torch.float32, prediction: Prediction | None = None
) -> Base:
    """The base model in a single file: Stable Diffusion 1.x (CLIP-L) or 2.x (OpenCLIP-H).

    The file holds the weights only. What lies beside it in diffusers' layout is used:
    tokenizer/, which is needed, and config.json (scheduler_config.json) in vae/, unet/,
    text_encoder/ and scheduler/, where the networks have other shapes than those of 1.5 or 2.1.

    Args:
        dtype: as in `folder.load_base`.
        prediction: what the UNet predicts. None takes it from scheduler/, else from the file's own
            description (modelspec.prediction_type), else measures it (`find_prediction`).

    Raises:
        UsageError: what the UNet predicts cannot be told.
        WeightsError: the file is damaged, incomplete or of another model, or the tokenizer is
            missing.
    """
    beside = path.parent
    tensors, metadata = read_tensors(path)
    generation = _family(tensors, path)
    if not (beside / "tokenizer").is_dir():
        name, revision = generation.tokenizer
        raise WeightsError(
            "a single file without its tokenizer",
            "the folder tokenizer/ beside it",
            f"fetch it: hf download {name} --revision {revision} "
            f"--include 'tokenizer/*' --local-dir '{beside}'",
            path=path,
        )
    family = generation.with_configs(beside)
    with torch.device("meta"):  # no random weights: each is replaced
        vae, unet = sd21.build_vae(family.vae), sd21.build_unet(family.unet)
    text_encoder = sd21.build_text_encoder(family.text_encoder)
    utils = cast(Any, single_file_utils)
    try:
        renamed: list[Mapping[str, Tensor]] = [
            utils.convert_ldm_vae_checkpoint(tensors, config=vae.config),
            utils.convert_ldm_unet_checkpoint(tensors, config=unet.config),
            utils.convert_ldm_clip_checkpoint(tensors)
            if generation is _SD1
            else utils.convert_open_clip_checkpoint(text_encoder, tensors),
        ]
    except (KeyError, IndexError, RuntimeError) as error:
        raise _does_not_fit(path, first_line(error)) from error
    tokenizer = load_tokenizer(beside / "tokenizer")
    vae = _filled(vae, renamed[0], torch.float32, path)
    text_encoder = _filled(text_encoder, renamed[2], dtype, path)
    predicted = prediction or _stated_prediction(beside, metadata)
    measured = predicted is None
    unet = _filled(unet, renamed[1], torch.float32 if measured else dtype, path)
    if predicted is None:
        last = int(sd21.build_scheduler(family.scheduler).alphas_cumprod.shape[0]) - 1
        predicted = find_prediction(unet, last)
        unet = cast(Any, unet).to(dtype)
    if predicted == "v" and generation is _SD2 and not (beside / "unet" / "config.json").is_file():
        cast(Any, unet).register_to_config(sample_size=96)  # 2.x at 768 pixels
    named = {"prediction_type": scheduler_name(predicted)}
    scheduler = sd21.build_scheduler(family.scheduler | named)
    return Base(vae, unet, text_encoder, tokenizer, scheduler)


def load_controlnet_file(path: Path, *, dtype: torch.dtype = torch.float32) -> ControlNetModel:
    """A ControlNet in a single file, with the original authors' names or diffusers' own.

    Its shape is that of config.json beside it; without one, of a ControlNet for Stable Diffusion
    1.x or 2.x, whichever the width of the text tells.

    Raises:
        WeightsError: the file is damaged, incomplete or of another network.
    """
    tensors, _ = read_tensors(path)
    family = _SD1 if _text_width(tensors) == sd15.UNET["cross_attention_dim"] else _SD2
    shared = ("in_channels", "down_block_types", "block_out_channels", "layers_per_block",
              "cross_attention_dim", "attention_head_dim", "use_linear_projection")  # fmt: skip
    config = {name: family.unet[name] for name in shared}
    if (path.parent / "config.json").is_file():
        config = _parsed(path.parent / "config.json")
    with torch.device("meta"):
        model = cast(Any, ControlNetModel).from_config(config)
    utils = cast(Any, single_file_utils)
    try:
        renamed = utils.convert_controlnet_checkpoint(tensors, config=model.config)
    except (KeyError, IndexError, RuntimeError, ValueError) as error:
        raise _controlnet_does_not_fit(path, first_line(error)) from error
    tensors = {key: value for key, value in renamed.items() if value is not None}
    return _filled(model, tensors, dtype, path, _controlnet_does_not_fit)


def _family(tensors: Mapping[str, Tensor], path: Path) -> _Family:
    """The generation of the model in a file; WeightsError if it is none of the two."""
    entry = tensors.get("model.diffusion_model.input_blocks.0.0.weight")
    latent = sd21.UNET["in_channels"]
    if any(key.startswith("conditioner.") for key in tensors):
        raise _does_not_fit(path, "Stable Diffusion XL or 3")
    if entry is not None and entry.shape[1] != latent:
        raise _does_not_fit(
            path, f"a UNet of {entry.shape[1]} channels, made for inpainting or depth"
        )
    old = any(key.startswith("cond_stage_model.transformer.") for key in tensors)
    return _SD1 if old else _SD2


def _text_width(tensors: Mapping[str, Tensor]) -> int | None:
    """The channels of the text that a ControlNet attends to."""
    for key, value in tensors.items():
        if key.endswith("attn2.to_k.weight"):
            return value.shape[1]
    return None


def _stated_prediction(beside: Path, metadata: Mapping[str, str]) -> Prediction | None:
    """What the scheduler's configuration or the file's description says, or None."""
    path = beside / "scheduler" / "scheduler_config.json"
    stated = metadata.get("modelspec.prediction_type")
    if path.is_file():
        stated = _parsed(path).get("prediction_type", "epsilon")
    return next((p for p in PREDICTIONS if stated in (p, scheduler_name(p))), None)


def _read_config(folder: Path, otherwise: dict[str, Any]) -> dict[str, Any]:
    for path in (folder / "config.json", folder / "scheduler_config.json"):
        if path.is_file():
            return _parsed(path)
    return otherwise


def _parsed(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise WeightsError(
            f"an unreadable configuration ({first_line(error)})",
            "a JSON object, as diffusers writes it",
            "fetch it again, or remove it where the model is 2.1-base",
            path=path,
        ) from error


def _does_not_fit(path: Path, reason: str) -> WeightsError:
    return WeightsError(
        f"weights that do not fit ({reason})",
        "Stable Diffusion 1.x or 2.x in one file",
        f"fetch v2-1_512-ema-pruned.safetensors of {sd21.SD21_ID} or "
        f"v1-5-pruned-emaonly.safetensors of {sd15.SD15_ID}",
        path=path,
    )


def _controlnet_does_not_fit(path: Path, reason: str) -> WeightsError:
    return WeightsError(
        f"weights that do not fit ({reason})",
        "a ControlNet for Stable Diffusion 1.x or 2.x in one file",
        "name another file, or put the ControlNet's config.json beside it",
        path=path,
    )


def _filled(
    model: P,
    tensors: Mapping[str, Tensor],
    dtype: torch.dtype,
    path: Path,
    another: Callable[[Path, str], WeightsError] = _does_not_fit,
) -> P:
    """The network with these weights, all of them, ready for inference."""
    expected = model.state_dict()
    tensors = {key.removeprefix("text_model."): value.to(dtype) for key, value in tensors.items()}
    for key, value in expected.items():
        if key not in tensors:
            raise another(path, f"no {key}")
        if tensors[key].shape != value.shape:
            raise another(path, f"{key} of shape {tuple(tensors[key].shape)}")
    model.load_state_dict({key: tensors[key] for key in expected}, assign=True)
    return model.eval().requires_grad_(False)
