"""Where diffusion weights come from: a folder, a single file, or the hub."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, cast

import torch
from diffusers.models.controlnets.controlnet import ControlNetModel

from unfade.errors import WeightsError
from unfade.models.folder import Base, first_line, load_base, load_part
from unfade.models.sd21 import SD21_ID, SD21_REVISION
from unfade.models.single_file import load_single_file

_HUB_ID = re.compile(r"(?P<id>[\w.-]+/[\w.-]+)(@(?P<revision>[\w./-]+))?")
_BASE_FILES = [
    "*/config.json", "scheduler/*.json", "tokenizer/*", "text_encoder/model.safetensors",
    "unet/diffusion_pytorch_model.safetensors", "vae/diffusion_pytorch_model.safetensors",
]  # fmt: skip
_CONTROLNET_FILES = ["config.json", "diffusion_pytorch_model.safetensors"]


def find_base(source: str | Path = SD21_ID, *, dtype: torch.dtype = torch.float32) -> Base:
    """The base model from a folder in diffusers' layout, a .safetensors file, or the hub.

    Args:
        source: a path, or ID@REVISION; the default id has its revision built in.

    Raises:
        WeightsError: nothing there, or what is there is damaged or another model.
    """
    path = Path(source)
    if path.is_dir():
        return load_base(path, dtype=dtype)
    if path.is_file() and path.suffix == ".safetensors":
        return load_single_file(path, dtype=dtype)
    return load_base(_fetched(str(source), _BASE_FILES, "--base"), dtype=dtype)


def find_controlnet(source: str | Path, *, dtype: torch.dtype = torch.float32) -> ControlNetModel:
    """A ControlNet from its own folder, from a preset's, or from the hub (ID@REVISION).

    Raises:
        WeightsError: nothing there, or what is there is damaged or another model.
    """
    path = Path(source)
    if not path.is_dir():
        path = _fetched(str(source), _CONTROLNET_FILES, "--controlnet")
    inner = path / "controlnet"
    return load_part(inner if inner.is_dir() else path, ControlNetModel, dtype=dtype)


def _fetched(source: str, files: list[str], option: str) -> Path:
    """The folder that holds a repository of the hub, from the cache or fetched."""
    import huggingface_hub

    found = _HUB_ID.fullmatch(source)
    if found is None or Path(source).exists():
        raise _nothing(source, option, "")
    name, revision = found["id"], found["revision"]
    if revision is None and name != SD21_ID:
        raise WeightsError(
            f"'{source}', neither a folder, a .safetensors file nor a pinned id of the hub",
            "a path, or ID@REVISION", "name the commit, so that the same weights come each time",
        )  # fmt: skip
    try:
        hub = cast(Any, huggingface_hub)
        where = hub.snapshot_download(
            name, revision=revision or SD21_REVISION, allow_patterns=files
        )
    except Exception as error:  # network, disk, hub: whatever it is, the way out is the same
        raise _nothing(source, option, f" ({first_line(error)})") from error
    return Path(where)


def _nothing(source: str, option: str, reason: str) -> WeightsError:
    fix = f"check the path, or fetch the weights and give {option} FOLDER"
    if option == "--base":
        fix = (
            f"fetch them with `hf download {SD21_ID} --revision {SD21_REVISION} "
            f"--local-dir sd21` (5 GB) and give {option} sd21"
        )
    return WeightsError(
        f"no weights at '{source}'{reason}",
        "a folder in diffusers' layout, a .safetensors file, or ID@REVISION on the hub", fix,
    )  # fmt: skip
