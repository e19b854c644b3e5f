"""Builds the optimizer and its learning rate schedule."""

from __future__ import annotations

import math
from typing import Any, cast

import torch
from torch import Tensor, nn

from unfade.train.options import LoopOptions


def rate_at(step: int, options: LoopOptions) -> float:
    """Linear warm-up, then the peak or half a cosine down to 1 % of it at the last step."""
    if step < options.warmup:
        return options.rate * (step + 1) / options.warmup
    if options.schedule == "constant":
        return options.rate
    done = (step - options.warmup) / max(1, options.steps - options.warmup)
    return options.rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(done, 1.0))))


class LeanAdamW(torch.optim.Optimizer):
    """AdamW (arXiv 1711.05101) that stores its two moments in bf16.

    They are rounded up or down at random, in proportion to the distance: a second moment changes by
    a hundredth of itself a step, which rounding to the nearest would lose. All numbers are drawn
    from torch's global generator.

    Args:
        groups: parameters, with a "weight_decay" for each group.
    """

    def __init__(
        self, groups: list[dict[str, Any]], lr: float, betas: tuple[float, float],
        eps: float = 1e-8,
    ) -> None:  # fmt: skip
        super().__init__(groups, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": 0.0})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """One step, for all parameters with a gradient."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._update(parameter, group)

    def _update(self, parameter: Tensor, group: dict[str, Any]) -> None:
        grad, (beta1, beta2) = cast(Tensor, parameter.grad), group["betas"]
        state = self.state[parameter]
        if not state:
            state["step"] = torch.tensor(0.0)
            for name in ("exp_avg", "exp_avg_sq"):
                state[name] = torch.zeros_like(parameter, dtype=torch.bfloat16)
        state["step"] += 1
        steps = float(state["step"])
        mean = state["exp_avg"].float().lerp_(grad, 1 - beta1)
        square = state["exp_avg_sq"].float().mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
        for name, value in (("exp_avg", mean), ("exp_avg_sq", square)):
            state[name].copy_(_rounded(value))
        parameter.mul_(1 - group["lr"] * group["weight_decay"])
        root = square.div_(1 - beta2**steps).sqrt_().add_(group["eps"])
        parameter.addcdiv_(mean, root, value=-group["lr"] / (1 - beta1**steps))


def _rounded(value: Tensor) -> Tensor:
    """Rounds float32 to a neighbouring bf16 value at random, returned as float32."""
    bits = value.view(torch.int32)
    bits = (bits + torch.randint_like(bits, 1 << 16)) & -(1 << 16)
    return bits.view(torch.float32)


def build_optimizer(model: nn.Module, options: LoopOptions) -> torch.optim.Optimizer:
    """AdamW over the trainable parameters; biases and norms have no weight decay.

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
    if options.moments == "bf16":
        return LeanAdamW(groups, lr=options.rate, betas=(0.9, 0.99))
    fused = next(model.parameters()).is_cuda or None  # without copies of all weights
    return torch.optim.AdamW(groups, lr=options.rate, betas=(0.9, 0.99), fused=fused)


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Sets the rate of every group, times the group's own factor."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["factor"]
