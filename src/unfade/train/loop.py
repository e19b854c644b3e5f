"""The training loop. Run the same command again and it goes on where it stopped."""

from __future__ import annotations

import copy
import json
import logging
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from unfade.models.inference import mixed, placed
from unfade.train.options import LoopOptions
from unfade.train.state import load_state, save_state, update_ema

log = logging.getLogger(__name__)
Batch = dict[str, Tensor]


class Task(Protocol):
    """What a kind of training adds to the loop."""

    def build(self) -> nn.Module:
        """The untrained network."""
        ...

    def sample(self, number: int) -> Batch:
        """Sample `number` of the run, without a batch dimension."""
        ...

    def loss(self, model: nn.Module, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        """The loss of a batch and figures for the log."""
        ...

    def show(self, model: nn.Module, path: Path) -> dict[str, float]:
        """Writes a sheet of validation pictures; returns validation figures."""
        ...


class _Numbered(Dataset[Batch]):
    """Samples `start`, `start` + 1, ... of a task."""

    def __init__(self, task: Task, start: int, stop: int) -> None:
        self.task, self.start, self.stop = task, start, stop

    def __len__(self) -> int:
        return max(0, self.stop - self.start)

    def __getitem__(self, index: int) -> Batch:
        return self.task.sample(self.start + index)


def rate_at(step: int, options: LoopOptions) -> float:
    """Linear warm-up, then half a cosine down to 1 % of the peak at the last step."""
    if step < options.warmup:
        return options.rate * (step + 1) / options.warmup
    done = (step - options.warmup) / max(1, options.steps - options.warmup)
    return options.rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(done, 1.0))))


def _batches(task: Task, step: int, options: LoopOptions) -> Iterator[Batch]:
    numbers = _Numbered(task, step * options.batch, options.steps * options.batch)
    return iter(DataLoader(numbers, options.batch, num_workers=options.workers))


def _optimizer(model: nn.Module, options: LoopOptions) -> torch.optim.AdamW:
    matrices = [p for p in model.parameters() if p.ndim > 1]
    rest = [p for p in model.parameters() if p.ndim <= 1]
    groups = [
        {"params": matrices, "weight_decay": options.weight_decay},
        {"params": rest, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=options.rate, betas=(0.9, 0.99))


def train(
    task: Task,
    options: LoopOptions,
    run: Path,
    *,
    start: nn.Module | None = None,
    export: Callable[[nn.Module], None] | None = None,
    progress: Callable[[int, dict[str, float]], None] | None = None,
) -> nn.Module:
    """Trains until `options.steps` are done and returns the averaged weights' network.

    Args:
        run: the folder of this training: state.safetensors, log.jsonl and sheets.
        start: a network whose weights a new training starts from.
        export: called with the averaged network whenever a sheet is drawn, and at the end.
        progress: called with the step and the smoothed figures.
    """
    run.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(options.seed)  # pyright: ignore[reportUnknownMemberType]
    device = torch.device("cpu")
    model = placed(task.build().train(), device)
    if start is not None:
        model.load_state_dict(start.state_dict())
    ema = copy.deepcopy(model).eval().requires_grad_(False)
    optimizer = _optimizer(model, options)
    state = run / "state.safetensors"
    step = load_state(state, model, ema, optimizer) if state.exists() else 0
    mean: dict[str, float] = {}
    began, first = time.monotonic(), step
    for batch in _batches(task, step, options):
        for group in optimizer.param_groups:
            group["lr"] = rate_at(step, options)
        with mixed(device, options.precision):
            loss, figures = task.loss(model, batch)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # pyright: ignore[reportUnknownMemberType]
        norm = nn.utils.clip_grad_norm_(model.parameters(), options.clip)
        if bool(torch.isfinite(norm)):
            optimizer.step()  # pyright: ignore[reportUnknownMemberType]
        else:
            log.warning("step %d: the gradient is not finite, skipped", step)
        step += 1
        update_ema(ema, model, options.ema, step)
        figures = {"loss": float(loss.detach()), **figures}
        mean = {k: v if k not in mean else 0.98 * mean[k] + 0.02 * v for k, v in figures.items()}
        if progress is not None:
            progress(step, mean)
        if step % options.save_every == 0 or step == options.steps:
            save_state(state, step, model, ema, optimizer)
            _record(run, {"step": step, "rate": rate_at(step, options), **mean,
                          "steps_per_s": (step - first) / (time.monotonic() - began)})  # fmt: skip
        if step % options.show_every == 0 or step == options.steps:
            _record(run, {"step": step, **task.show(ema, run / f"sheet-{step:06d}.png")})
            if export is not None:
                export(ema)
    return ema


def _record(run: Path, row: dict[str, float]) -> None:
    with (run / "log.jsonl").open("a") as handle:
        handle.write(json.dumps({k: round(v, 6) for k, v in row.items()}) + "\n")
