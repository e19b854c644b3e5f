"""The optimizer and its rate."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

from unfade.train.options import LoopOptions


def rate_at(step: int, options: LoopOptions) -> float:
    """Linear warm-up, then the peak or half a cosine down to 1 % of it at the last step."""
    if step < options.warmup:
        return options.rate * (step + 1) / options.warmup
    if options.schedule == "constant":
        return options.rate
    done = (step - options.warmup) / max(1, options.steps - options.warmup)
    return options.rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(done, 1.0))))


def build_optimizer(model: nn.Module, options: LoopOptions) -> torch.optim.AdamW:
    """AdamW over what is trainable; biases and norms do not decay.

    A group's `factor` is what `set_rate` multiplies the rate by.
    """
    groups: list[dict[str, Any]] = []
    apart = options.encoder_rate != 1
    for inside, factor in ((False, 1.0), (True, options.encoder_rate)):
        trainable = [
            p for name, p in model.named_parameters()
            if p.requires_grad and (apart and "encoder." in name) == inside
        ]  # fmt: skip
        matrices, rest = [p for p in trainable if p.ndim > 1], [p for p in trainable if p.ndim <= 1]
        for params, decay in ((matrices, options.weight_decay), (rest, 0.0)):
            if params:
                groups.append({"params": params, "weight_decay": decay, "factor": factor})
    return torch.optim.AdamW(groups, lr=options.rate, betas=(0.9, 0.99))


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Sets the rate of every group, times the group's own factor."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["factor"]
