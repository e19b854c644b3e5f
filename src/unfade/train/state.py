"""Everything a training needs to go on, in one safetensors file that is replaced whole."""

from __future__ import annotations

import os
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn


def update_ema(ema: nn.Module, model: nn.Module, decay: float, step: int) -> None:
    """ema <- decay ema + (1 - decay) model, with a shorter memory at the start."""
    decay = min(decay, (1 + step) / (10 + step))
    with torch.no_grad():
        for old, new in zip(ema.state_dict().values(), model.state_dict().values(), strict=True):
            if old.is_floating_point():
                old.lerp_(new.to(old.dtype), 1 - decay)
            else:
                old.copy_(new)


def save_state(
    path: Path, step: int, model: nn.Module, ema: nn.Module, optimizer: torch.optim.AdamW
) -> None:
    """Writes a checkpoint; a kill at any moment leaves the old one or the new one."""
    tensors: dict[str, Tensor] = {}
    for prefix, module in (("model.", model), ("ema.", ema)):
        tensors |= {prefix + k: v.detach().contiguous() for k, v in module.state_dict().items()}
    for i, state in enumerate(optimizer.state.values()):
        for name in ("step", "exp_avg", "exp_avg_sq"):
            tensors[f"adam.{i}.{name}"] = state[name].detach().contiguous()
    part = path.with_suffix(".part")
    save_file({k: v.clone() for k, v in tensors.items()}, part, {"step": str(step)})
    os.replace(part, path)


def load_state(path: Path, model: nn.Module, ema: nn.Module, optimizer: torch.optim.AdamW) -> int:
    """Restores a checkpoint into fresh objects and returns the number of steps done."""
    with safe_open(path, "pt") as handle:
        step = int(handle.metadata()["step"])
        tensors = {key: handle.get_tensor(key) for key in handle.keys()}  # noqa: SIM118

    def part(prefix: str) -> dict[str, Tensor]:
        return {k[len(prefix) :]: v for k, v in tensors.items() if k.startswith(prefix)}

    model.load_state_dict(part("model."))
    ema.load_state_dict(part("ema."))
    params = [p for group in optimizer.param_groups for p in group["params"]]
    for i, p in enumerate(params):
        state = part(f"adam.{i}.")
        if state:
            optimizer.state[p] = state
    return step
