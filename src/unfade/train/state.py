"""Saves and loads the state of a training, in one safetensors file that is written atomically."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import safe_open
from torch import Tensor, nn

from unfade.errors import WeightsError
from unfade.files import remove_leftovers
from unfade.models.tensors import read_tensors, write_tensors

STATE = "state.safetensors"


def update_ema(ema: nn.Module, model: nn.Module, decay: float, step: int) -> None:
    """Sets ema to decay ema + (1 - decay) model, with a shorter memory at the start."""
    decay = min(decay, (1 + step) / (10 + step))
    with torch.no_grad():
        for old, new in zip(ema.state_dict().values(), model.state_dict().values(), strict=True):
            if old.is_floating_point():
                old.lerp_(new.to(old.dtype), 1 - decay)
            else:
                old.copy_(new)


def interpolate_weights(network: nn.Module, start: nn.Module, start_share: float) -> nn.Module:
    """A network whose weights are start_share * start + (1 - start_share) * network."""
    out = copy.deepcopy(network)
    with torch.no_grad():
        for new, old in zip(out.state_dict().values(), start.state_dict().values(), strict=True):
            if new.is_floating_point():
                new.lerp_(old.to(new), start_share)
    return out


def save_state(
    path: Path, step: int, model: nn.Module, ema: nn.Module, optimizer: torch.optim.Optimizer
) -> None:
    """Writes a checkpoint; a kill at any moment leaves the old one or the new one."""
    tensors: dict[str, Tensor] = {}
    for prefix, module in (("model.", model), ("ema.", ema)):
        tensors |= {prefix + k: v for k, v in module.state_dict().items()}
    for i, parameter in enumerate(_parameters(optimizer)):
        state = cast(dict[str, Tensor], optimizer.state.get(parameter, {}))
        tensors |= {f"adam.{i}.{name}": value for name, value in state.items()}
    remove_leftovers(path.parent, age_s=0)
    write_tensors(path, tensors, {"step": str(step)})


def find_state(run: Path) -> Path | None:
    """The last checkpoint of a run; None if there is none."""
    path = run / STATE
    earlier = _earlier(run)
    return path if path.exists() else (earlier[-1] if earlier else None)


def keep_states(run: Path, states: int) -> None:
    """Keeps earlier checkpoints under other names and removes the oldest.

    Args:
        states: how many there may be, the next one included. With more than one, the last one is
            renamed to state-STEP.safetensors, and older ones are removed.
    """
    path = run / STATE
    if states > 1 and path.exists():
        with cast(Any, safe_open)(path, "pt") as file:
            step = int(file.metadata()["step"])
        path.replace(path.with_name(f"{path.stem}-{step:06d}{path.suffix}"))
    earlier = _earlier(run)
    for old in earlier[: max(0, len(earlier) - states + 1)]:
        old.unlink()


def _earlier(run: Path) -> list[Path]:
    """Checkpoints before the last one, by step."""
    return sorted(run.glob("state-*.safetensors"), key=lambda p: (len(p.name), p.name))


def _parameters(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    return [p for group in optimizer.param_groups for p in group["params"]]


def load_state(
    path: Path, model: nn.Module, ema: nn.Module, optimizer: torch.optim.Optimizer
) -> int:
    """Restores a checkpoint into fresh objects and returns the number of steps done.

    Raises:
        WeightsError: the file is damaged, or of a network of another shape.
    """
    tensors, metadata = read_tensors(path)

    def part(prefix: str) -> dict[str, Tensor]:
        return {k[len(prefix) :]: v for k, v in tensors.items() if k.startswith(prefix)}

    try:
        step = int(metadata["step"])
        model.load_state_dict(part("model."))
        ema.load_state_dict(part("ema."))
    except (KeyError, ValueError, RuntimeError) as error:
        raise WeightsError(
            "the state of another training", "one of the network in this recipe",
            "use the recipe that this run began with, or another run folder", path=path,
        ) from error  # fmt: skip
    for i, parameter in enumerate(_parameters(optimizer)):
        state = part(f"adam.{i}.")
        if state:  # Adam counts its steps on the processor; moments lie in memory as weights do
            optimizer.state[parameter] = {
                k: v if k == "step" else torch.empty_like(parameter, dtype=v.dtype).copy_(v)
                for k, v in state.items()
            }
    return step
