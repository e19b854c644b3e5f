"""Weights on disk: safetensors with their configuration, loaded strictly, hashed."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

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


def load_model(path: Path, cls: type[N]) -> N:
    """Rebuilds a network in float32, ready for inference.

    Raises:
        WeightsError: the file is missing, damaged, or holds another network.
    """
    tensors, metadata = read_tensors(path)
    full = {k: v.float() if v.is_floating_point() else v for k, v in tensors.items()}
    if metadata.get("kind") != cls.__name__:
        raise WeightsError(
            f"weights of {metadata.get('kind', 'another program')}", f"weights of {cls.__name__}",
            "check which file stands where", path=path,
        )  # fmt: skip
    try:
        config = from_dict(json.loads(metadata["config"]), _CONFIGS[cls], path=path)
        model = cls(config)  # pyright: ignore[reportArgumentType]
        model.load_state_dict(full)
    except (KeyError, IndexError, TypeError, ValueError, RuntimeError, UsageError) as error:
        raise WeightsError(
            f"weights that do not fit ({str(error).splitlines()[0]})",
            f"a {cls.__name__} of this version", "use weights of this version of unfade", path=path,
        ) from error  # fmt: skip
    return model.eval().requires_grad_(False)


def pick_device(name: str) -> torch.device:
    """ "auto" is CUDA, then MPS, then the CPU.

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
        fix = "use --device cpu"
        raise UsageError(f"device '{name}'", "a device of this machine", fix) from error
    return device
