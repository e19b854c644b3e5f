"""The training loop. The same command resumes a training that was stopped."""

from __future__ import annotations

import copy
import logging
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from unfade.errors import WeightsError
from unfade.manifest import make_folder
from unfade.memory import release_memory
from unfade.models.inference import mixed, to_device
from unfade.rng import generator
from unfade.train.interruption import is_small, step_boundary
from unfade.train.launch import accelerator, check_precision
from unfade.train.logger import TrainingLogger
from unfade.train.optim import build_optimizer, rate_at, set_rate
from unfade.train.options import LoopOptions
from unfade.train.sampler import batches
from unfade.train.state import STATE, find_state, keep_states, load_state, save_state, update_ema
from unfade.train.task import Batch, Task

__all__ = ["Batch", "Task", "rate_at", "train"]
log = logging.getLogger(__name__)


class _Objective(nn.Module):
    """A network with its loss as one module, which data-parallel training needs."""

    def __init__(self, task: Task, model: nn.Module) -> None:
        super().__init__()
        self.task, self.model = task, model

    def forward(self, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        return self.task.loss(self.model, batch)


def enable_checkpointing(model: nn.Module) -> None:
    """Turns gradient checkpointing on in every network of diffusers or transformers that can."""
    for part in model.modules():
        can = getattr(part, "_supports_gradient_checkpointing", True)
        can = can and getattr(part, "supports_gradient_checkpointing", True)
        for name in ("enable_gradient_checkpointing", "gradient_checkpointing_enable"):
            if can and hasattr(part, name):
                getattr(part, name)()


def _fresh(
    task: Task, options: LoopOptions, device: torch.device, start: nn.Module | None
) -> nn.Module:
    """The network to train, on its device, with the weights of `start` if given."""
    torch.manual_seed(options.seed)  # pyright: ignore[reportUnknownMemberType]
    model = to_device(task.build().train(), device, options.layout)
    if start is not None:
        try:
            model.load_state_dict(start.state_dict())
        except RuntimeError as error:
            raise WeightsError(
                "weights of another shape to start from", "those of the network in this recipe",
                "start from others, or change the model in the recipe",
            ) from error  # fmt: skip
    if options.checkpointing:
        enable_checkpointing(model)
    if options.frozen_norms:
        for part in model.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.eval()
    return model


def _seed(options: LoopOptions, step: int) -> None:
    """Seeds torch, so that a network's random numbers depend on seed and step alone."""
    seed = int(generator(options.seed, "network", step).integers(1 << 62))
    torch.manual_seed(seed)  # pyright: ignore[reportUnknownMemberType]


@contextmanager
def forward_pass(device: torch.device, options: LoopOptions) -> Generator[None]:
    """The precision of a forward pass.

    Autocast keeps a copy in bf16 of every weight that it has met. Where memory is saved, it makes
    one whenever a layer runs.
    """
    with mixed(device, options.precision):
        torch.set_autocast_cache_enabled(not options.checkpointing)
        yield


def _step(
    group: Any, objective: nn.Module, optimizer: torch.optim.Optimizer, loader: Iterator[Batch],
    options: LoopOptions,
) -> dict[str, float]:  # fmt: skip
    """One step of the optimizer; returns its figures, means over micro-batches and processes."""
    optimizer.zero_grad(set_to_none=True)
    rows: list[dict[str, float]] = []
    for micro in range(1, options.accumulate + 1):
        batch = {k: v.to(group.device) for k, v in next(loader).items()}
        apart = micro < options.accumulate
        with group.no_sync(objective) if apart else nullcontext():
            plain = options.attention == "plain"
            with sdpa_kernel(SDPBackend.MATH) if plain else nullcontext():
                with forward_pass(group.device, options):
                    loss, figures = objective(batch)
                group.backward(loss / options.accumulate)
        rows.append({"loss": float(loss.detach()), **figures})
    norm = cast(Tensor, group.clip_grad_norm_(objective.parameters(), options.clip))
    if bool(torch.isfinite(norm)):
        optimizer.step()  # pyright: ignore[reportUnknownMemberType]
    else:
        log.warning("the gradient is not finite: a step is skipped")
    means = torch.tensor([[row[k] for k in rows[0]] for row in rows], device=group.device).mean(0)
    means = cast(Tensor, group.reduce(means, "mean"))
    return {key: float(mean) for key, mean in zip(rows[0], means, strict=True)}


def train(
    task: Task,
    options: LoopOptions,
    run: Path,
    *,
    start: nn.Module | None = None,
    export: Callable[[nn.Module, int], object] | None = None,
    progress: Callable[[int, dict[str, float]], None] | None = None,
) -> nn.Module:
    """Trains until `options.steps` are done and returns the averaged weights' network.

    Ctrl-C writes a checkpoint first where the network is small (`interruption.is_small`).

    All randomness is a function of the seed and of the step or the sample: a training that was
    stopped ends as an unbroken one does, and several processes see what one would see alone.

    Args:
        run: the folder of this training: state.safetensors, log.jsonl, tensorboard/, sheets.
        start: a network whose weights a new training starts from.
        export: called with the averaged network and the step after each validation.
        progress: called with the step and the smoothed figures.

    Raises:
        UsageError: accelerate is missing, the batch does not part evenly, or the card has no bf16.
        WeightsError: `start` or the state in `run` is another network's, or is damaged.
        OutputError: `run` cannot be written.
    """
    make_folder(run)
    group = accelerator()
    check_precision(group.device, options.precision)
    model = _fresh(task, options, group.device, start)
    ema = copy.deepcopy(model).eval().requires_grad_(False)
    if options.compiled:
        model.compile()  # pyright: ignore[reportUnknownMemberType]
    optimizer = build_optimizer(model, options)
    state, checkpoint = run / STATE, find_state(run)
    step = load_state(checkpoint, model, ema, optimizer) if checkpoint is not None else 0
    objective = cast(nn.Module, group.prepare_model(_Objective(task, model)))
    loader = batches(task, step, options, group.process_index, group.num_processes)
    logger = TrainingLogger(run, step) if group.is_main_process else None
    mean: dict[str, float] = {}
    release_memory()  # of what was needed before the first step alone
    began, first, alone = time.monotonic(), step, group.num_processes == 1
    while step < options.steps:
        set_rate(optimizer, rate_at(step, options))
        _seed(options, step)
        with step_boundary(alone and is_small(model)) as interruption:
            figures = _step(group, objective, optimizer, loader, options)
            step += 1
            update_ema(ema, model, options.ema, step)
        if interruption.requested:
            save_state(state, step, model, ema, optimizer)
            raise KeyboardInterrupt
        mean = {k: v if k not in mean else 0.98 * mean[k] + 0.02 * v for k, v in figures.items()}
        if progress is not None:
            progress(step, mean)
        if logger is not None and (step % options.save_every == 0 or step == options.steps):
            keep_states(run, options.states)
            save_state(state, step, model, ema, optimizer)
            speed = (step - first) / (time.monotonic() - began)
            logger.log_figures(step, {"rate": rate_at(step, options), **mean, "steps_per_s": speed})
        if step % options.validate_every == 0 or step == options.steps:
            if logger is not None:
                logger.log_validation(step, lambda grid: task.validate(ema, grid))
                if export is not None:
                    export(ema, step)
            group.wait_for_everyone()
    if logger is not None:
        logger.close()
    return ema
