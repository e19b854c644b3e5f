"""The optimizer and its rate."""

from __future__ import annotations

import math

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
    """AdamW over what is trainable; biases and norms do not decay."""
    trainable = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trainable if p.ndim > 1], "weight_decay": options.weight_decay},
        {"params": [p for p in trainable if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=options.rate, betas=(0.9, 0.99))
