"""Tensors from arrays and from files, with the types that torch and safetensors leave open."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save  # pyright: ignore[reportUnknownVariableType]
from torch import Tensor

from unfade.errors import WeightsError
from unfade.imaging.atomic import atomic_file


def from_array(array: NDArray[Any]) -> Tensor:
    """A tensor that shares the array's memory."""
    return torch.from_numpy(array)  # pyright: ignore[reportUnknownMemberType]


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors and the metadata of a safetensors file.

    Raises:
        WeightsError: the file is missing or damaged.
    """
    try:
        with cast(Any, safe_open)(path, "pt") as handle:
            metadata: dict[str, str] = handle.metadata() or {}
            keys: list[str] = list(handle.keys())
            tensors: dict[str, Tensor] = {key: handle.get_tensor(key) for key in keys}
    except (OSError, SafetensorError) as error:
        raise WeightsError(
            f"unreadable weights ({error})", "a safetensors file written by unfade",
            "install the package again or train it anew", path=path,
        ) from error  # fmt: skip
    return tensors, metadata


def write_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """Writes a safetensors file; a kill at any moment leaves the old one or the new one.

    Several processes may write the same file at a time: the last to end has it.

    Raises:
        OutputError: the file cannot be written.
    """
    whole = {key: value.detach().contiguous() for key, value in tensors.items()}
    with atomic_file(path) as file:
        file.write(save(whole, metadata))
