"""Loads pretrained network weights, and normalises pictures for such networks."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from unfade.errors import WeightsError
from unfade.eval.images import Image
from unfade.models.tensors import from_array, read_tensors


def read_state(path: Path) -> dict[str, Tensor]:
    """The state dict of a .pth or .safetensors file. No code in the file is ever run.

    Raises:
        WeightsError: the file is missing, damaged, or holds anything but tensors.
    """
    if path.suffix == ".safetensors":
        return read_tensors(path)[0]
    try:
        state: Any = torch.load(path, map_location="cpu", weights_only=True)
        return {str(key): cast(Tensor, value).float() for key, value in state.items()}
    except Exception as error:  # whatever a file of another kind makes the reader do
        raise _unreadable(path, error) from error


def load_pretrained(network: nn.Module, path: Path, state: dict[str, Tensor]) -> None:
    """Loads a state dict strictly, and readies the network for inference.

    Raises:
        WeightsError: names or shapes differ.
    """
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise _unreadable(path, error) from error
    network.eval().requires_grad_(False)


def from_folder(kind: Any, folder: Path) -> Any:
    """One of transformers' models or tokenizers from a folder; nothing is fetched.

    Raises:
        WeightsError: the folder holds another one, or part of it.
    """
    try:
        return kind.from_pretrained(str(folder), local_files_only=True)
    except Exception as error:  # whatever a file of another kind makes the reader do
        raise _unreadable(folder, error) from error


def as_tensor(image: Image, network: nn.Module | None = None) -> Tensor:
    """(H, W, 3) [0, 1] -> (1, 3, H, W) float32, on the device of the network."""
    x = from_array(image.astype("float32", copy=True)).permute(2, 0, 1)[None].contiguous()
    return x if network is None else x.to(next(network.parameters()).device)


def normalised(x: Tensor, mean: tuple[float, ...], deviation: tuple[float, ...]) -> Tensor:
    """(N, 3, H, W), each channel less its mean, over its deviation."""
    return (x - x.new_tensor(mean)[:, None, None]) / x.new_tensor(deviation)[:, None, None]


def resized(x: Tensor, height: int, width: int) -> Tensor:
    """(N, C, H, W) -> (N, C, height, width) by antialiased bicubic interpolation, in [0, 1]."""
    size = (height, width)
    large = F.interpolate(x, size, mode="bicubic", align_corners=False, antialias=True)
    return large.clamp(0, 1)


def _unreadable(path: Path, error: Exception) -> WeightsError:
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    fix = "fetch the file again: `unfade models` says how"
    return WeightsError(f"weights that do not fit ({reason})", "the published ones", fix, path=path)
