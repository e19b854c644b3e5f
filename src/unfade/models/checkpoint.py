"""Saves and loads network weights: safetensors with their configuration, loaded strictly."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from unfade.config import from_dict
from unfade.errors import UsageError, WeightsError
from unfade.models.colouriser import Colouriser, ColouriserConfig
from unfade.models.enlarger import Enlarger, EnlargerConfig
from unfade.models.scratch import ScratchConfig, ScratchDetector
from unfade.models.stage1 import Stage1Config, Stage1Net
from unfade.models.tensors import read_tensors, write_tensors
from unfade.models.tone import ToneConfig, ToneNet

N = TypeVar("N", ScratchDetector, Stage1Net, ToneNet, Enlarger, Colouriser)
Network = ScratchDetector | Stage1Net | ToneNet | Enlarger | Colouriser
AnyConfig = ScratchConfig | Stage1Config | ToneConfig | EnlargerConfig | ColouriserConfig

_CONFIGS: dict[type[nn.Module], type[AnyConfig]] = {
    ScratchDetector: ScratchConfig,
    Stage1Net: Stage1Config,
    ToneNet: ToneConfig,
    Enlarger: EnlargerConfig,
    Colouriser: ColouriserConfig,
}


def save_model(path: Path, model: Network) -> None:
    """Writes fp16 weights and, in the metadata, the configuration that rebuilds the network.

    Raises:
        OutputError: the file cannot be written.
    """
    tensors = {k: v.half() if v.is_floating_point() else v for k, v in model.state_dict().items()}
    config = json.dumps(asdict(model.config))
    write_tensors(path, tensors, {"format": "pt", "kind": type(model).__name__, "config": config})


def average_weights(shares: Mapping[Path, float], out: Path) -> None:
    """Writes the weighted mean of several files of one network (model soups, arXiv 2203.05482).

    Configuration and whole numbers are those of the first file.

    Args:
        shares: file -> its share; they are scaled to a sum of 1.
        out: file for the mean, in fp16.

    Raises:
        UsageError: fewer than two files, or a share that is not above 0.
        WeightsError: a file is missing or damaged, or holds another network than the first.
        OutputError: `out` cannot be written.
    """
    if len(shares) < 2 or not all(share > 0 for share in shares.values()):
        got = ", ".join(f"{path}={share:g}" for path, share in shares.items())
        fix = "give shares above 0"
        raise UsageError(f"weights {got or 'of no file'}", "two files or more", fix)
    total = sum(shares.values())
    mean: dict[str, Tensor] = {}
    about: dict[str, str] = {}
    for path, share in shares.items():
        tensors, metadata = read_tensors(path)
        shapes = {name: t.shape for name, t in tensors.items()}
        if mean and shapes != {name: t.shape for name, t in mean.items()}:
            first = next(iter(shares))
            raise WeightsError(
                "another network", f"that of {first}", "average weights of one network", path=path
            )
        about = about or metadata
        for name, t in tensors.items():
            if not t.is_floating_point():
                mean.setdefault(name, t)
            else:
                mean[name] = mean.get(name, torch.zeros(())) + t.float() * (share / total)
    halves = {name: t.half() if t.is_floating_point() else t for name, t in mean.items()}
    write_tensors(out, halves, about)


def load_model(path: Path, cls: type[N]) -> N:
    """Rebuilds a network in float32, ready for inference.

    Raises:
        WeightsError: the file is missing, damaged, or holds another network.
    """
    tensors, metadata = read_tensors(path)
    full = {k: v.float() if v.is_floating_point() else v for k, v in tensors.items()}
    if metadata.get("kind") != cls.__name__:
        raise WeightsError(
            f"weights of {metadata.get('kind', 'another program')}",
            f"weights of {cls.__name__}",
            "check which file stands where",
            path=path,
        )
    try:
        config = from_dict(json.loads(metadata["config"]), _CONFIGS[cls], path=path)
        model = cls(config)  # pyright: ignore[reportArgumentType]
        model.load_state_dict(full)
    except (KeyError, IndexError, TypeError, ValueError, RuntimeError, UsageError) as error:
        raise WeightsError(
            f"weights that do not fit ({str(error).splitlines()[0]})",
            f"a {cls.__name__} of this version",
            "use weights of this version of unfade",
            path=path,
        ) from error
    return model.eval().requires_grad_(False)


def pick_device(name: str) -> torch.device:
    """Chooses a device; "auto" is CUDA, else MPS, else the CPU.

    Raises:
        UsageError: no such device here.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        fix = "use device='cpu'"
        raise UsageError(f"device '{name}'", "a device of this machine", fix) from error
    return device
