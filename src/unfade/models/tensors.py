"""Reads and writes tensors of arrays and files, with the types that torch and safetensors lack."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from torch import Tensor

from unfade.errors import WeightsError
from unfade.files import atomic_file

_TYPES = {
    torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16",
    torch.int64: "I64", torch.int32: "I32", torch.uint8: "U8", torch.bool: "BOOL",
}  # fmt: skip


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
            f"unreadable weights ({error})",
            "a safetensors file written by unfade",
            "install the package again or train it anew",
            path=path,
        ) from error
    return tensors, metadata


def write_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """Writes a safetensors file; a kill at any moment leaves the old one or the new one.

    One tensor at a time is copied: a training's state may be larger than the memory that is left.
    Several processes may write the same file at a time: the last to end has it.

    Raises:
        OutputError: the file cannot be written.
    """
    names = sorted(tensors, key=lambda name: (-tensors[name].element_size(), name))
    entries: dict[str, Any] = {"__metadata__": metadata}
    stop = 0
    for name in names:  # the widest numbers first, so that all lie on their boundaries
        value, start = tensors[name], stop
        stop += value.numel() * value.element_size()
        kind, shape = _TYPES[value.dtype], list(value.shape)
        entries[name] = {"dtype": kind, "shape": shape, "data_offsets": [start, stop]}
    header = json.dumps(entries, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    with atomic_file(path) as file:
        file.write(len(header).to_bytes(8, "little") + header)
        for name in names:
            flat = tensors[name].detach().cpu().contiguous().flatten()
            file.write(memoryview(cast(Any, flat.view(torch.uint8)).numpy()))
