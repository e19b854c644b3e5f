"""Loads diffusion weights from a folder, a single file, or the hub."""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers.models.controlnets.controlnet import ControlNetModel

from unfade.errors import WeightsError
from unfade.models import hub
from unfade.models.folder import PICKLED, Base, load_base, load_controlnet
from unfade.models.sd15 import SD15_ID, SD15_REVISION
from unfade.models.sd21 import SD21_ID, SD21_REVISION
from unfade.models.single_file import load_controlnet_file, load_single_file
from unfade.options import Prediction

#: The commits that an id without a revision stands for.
REVISIONS = {SD21_ID: SD21_REVISION, SD15_ID: SD15_REVISION}
_BASE_FILES = [
    "*/config.json",
    "scheduler/*.json",
    "tokenizer/*",
    "text_encoder/model.safetensors",
    "unet/diffusion_pytorch_model.safetensors",
    "vae/diffusion_pytorch_model.safetensors",
]
_CONTROLNET_FILES = ["config.json", "diffusion_pytorch_model.safetensors"]


def find_base(
    source: str | Path = SD21_ID,
    *,
    dtype: torch.dtype = torch.float32,
    prediction: Prediction | None = None,
) -> Base:
    """The base model from a folder in diffusers' layout, a .safetensors file, or the hub.

    Args:
        source: a path, or ID@REVISION; the ids in `REVISIONS` have their revision built in.
        dtype: of UNet and text encoder; the autoencoder has fp32.
        prediction: of the UNet; overrides its files.

    Raises:
        UsageError: what the UNet of a single file predicts cannot be told.
        WeightsError: nothing there, or what is there is damaged or another model.
    """
    path = Path(source)
    if path.is_dir():
        return load_base(path, dtype=dtype, prediction=prediction)
    if path.is_file() and path.suffix == ".safetensors":
        return load_single_file(path, dtype=dtype, prediction=prediction)
    folder = _fetched(str(source), _BASE_FILES, "base")
    return load_base(folder, dtype=dtype, prediction=prediction)


def find_controlnet(source: str | Path, *, dtype: torch.dtype = torch.float32) -> ControlNetModel:
    """A ControlNet from its own folder, a preset's, a .safetensors file or the hub (ID@REVISION).

    Raises:
        WeightsError: nothing there, or what is there is damaged or another model.
    """
    path = Path(source)
    if path.is_file() and path.suffix == ".safetensors":
        return load_controlnet_file(path, dtype=dtype)
    if not path.is_dir():
        path = _fetched(str(source), _CONTROLNET_FILES, "controlnet", PICKLED)
    inner = path / "controlnet"
    return load_controlnet(inner if inner.is_dir() else path, dtype=dtype)


def check_named(source: str | Path, option: str) -> None:
    """Refuses what is neither there nor an id of the hub. WeightsError."""
    if not Path(source).exists() and not hub.is_id(str(source)):
        raise _nothing(str(source), option, "")


def revision_of(source: str) -> tuple[str, str] | None:
    """The id and the revision of a model on the hub; None if a text is not both.

    The ids in `REVISIONS` need no revision.
    """
    return hub.pinned(source, REVISIONS)


def _fetched(source: str, files: list[str], option: str, pickled: str = "") -> Path:
    return hub.fetched(
        source, files, option, REVISIONS, lambda reason: _nothing(source, option, reason), pickled
    )


def _nothing(source: str, option: str, reason: str) -> WeightsError:
    fix = f"check the path, or fetch the weights and give {option}=FOLDER"
    if option == "base":
        name, revision = revision_of(source) or (SD21_ID, SD21_REVISION)
        folder = {SD21_ID: "sd21", SD15_ID: "sd15"}.get(name, "base")
        included = " ".join(f'--include "{pattern}"' for pattern in _BASE_FILES)
        fix = (
            f"fetch them with `hf download {name} --revision {revision} --local-dir {folder} "
            f"{included}` (about 5 GB) and give {option}='{folder}'"
        )
    return WeightsError(
        f"no weights at '{source}'{reason}",
        "a folder in diffusers' layout, a .safetensors file, or ID@REVISION on the hub",
        fix,
    )
