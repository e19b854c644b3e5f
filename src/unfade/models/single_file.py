"""Stable Diffusion 2 in one .safetensors file, with the names of its original authors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

import torch
from diffusers.loaders import single_file_utils
from torch import Tensor

from unfade.errors import WeightsError
from unfade.models import sd21
from unfade.models.folder import Base, Part, first_line, load_tokenizer
from unfade.models.tensors import read_tensors

P = TypeVar("P", bound=Part)


def load_single_file(path: Path, *, dtype: torch.dtype = torch.float32) -> Base:
    """The base model in a single file.

    The file holds the weights only. What lies beside it in diffusers' layout is used:
    tokenizer/, which is needed, and config.json (scheduler_config.json) in vae/, unet/,
    text_encoder/ and scheduler/, where the model is another than 2.1-base.

    Raises:
        WeightsError: the file is damaged or incomplete, or the tokenizer is missing.
    """
    beside = path.parent
    if not (beside / "tokenizer").is_dir():
        raise WeightsError(
            "a single file without its tokenizer", "the folder tokenizer/ beside it",
            f"fetch it: hf download {sd21.SD21_ID} --revision {sd21.SD21_REVISION} "
            f"--include 'tokenizer/*' --local-dir '{beside}'", path=path,
        )  # fmt: skip
    configs = {
        "vae": sd21.VAE, "unet": sd21.UNET, "text_encoder": sd21.TEXT_ENCODER,
        "scheduler": sd21.SCHEDULER,
    }  # fmt: skip
    for name in configs:
        configs[name] = _read_config(beside / name, configs[name])
    tensors, _ = read_tensors(path)
    with torch.device("meta"):  # no random weights: each is replaced
        vae = sd21.build_vae(configs["vae"])
        unet = sd21.build_unet(configs["unet"])
    text_encoder = sd21.build_text_encoder(configs["text_encoder"])
    utils = cast(Any, single_file_utils)
    try:
        renamed: list[Mapping[str, Tensor]] = [
            utils.convert_ldm_vae_checkpoint(tensors, config=vae.config),
            utils.convert_ldm_unet_checkpoint(tensors, config=unet.config),
            utils.convert_open_clip_checkpoint(text_encoder, tensors),
        ]
    except (KeyError, IndexError, RuntimeError) as error:
        raise _another(path, first_line(error)) from error
    return Base(
        _filled(vae, renamed[0], dtype, path),
        _filled(unet, renamed[1], dtype, path),
        _filled(text_encoder, renamed[2], dtype, path),
        load_tokenizer(beside / "tokenizer"),
        sd21.build_scheduler(configs["scheduler"]),
    )


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
            f"an unreadable configuration ({first_line(error)})", "a JSON object, as diffusers "
            "writes it", "fetch it again, or remove it where the model is 2.1-base", path=path,
        ) from error  # fmt: skip


def _filled(model: P, tensors: Mapping[str, Tensor], dtype: torch.dtype, path: Path) -> P:
    """The network with these weights, all of them, ready for inference."""
    expected = model.state_dict()
    found = {key.removeprefix("text_model."): value.to(dtype) for key, value in tensors.items()}
    for key, value in expected.items():
        if key not in found:
            raise _another(path, f"no {key}")
        if found[key].shape != value.shape:
            raise _another(path, f"{key} of shape {tuple(found[key].shape)}")
    model.load_state_dict({key: found[key] for key in expected}, assign=True)
    return model.eval().requires_grad_(False)


def _another(path: Path, what: str) -> WeightsError:
    return WeightsError(
        f"weights that do not fit ({what})", "Stable Diffusion 2.1-base in one file",
        f"fetch v2-1_512-ema-pruned.safetensors of {sd21.SD21_ID}", path=path,
    )  # fmt: skip
