"""Net2Net: starts a larger network from the weights of a smaller one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import torch
from torch import Tensor, nn

from unfade.errors import WeightsError
from unfade.models.blocks import ResBlock

_INPUT_LAYER, _OUTPUT_LAYER = "net.enter.weight", ("net.leave.weight", "net.leave.bias")


def net2net(network: nn.Module, start: nn.Module) -> nn.Module:
    """Copies the weights of `start` into `network`, so that both compute the same function.

    Residual blocks that only `network` has become the identity; additional inputs and outputs get
    zero weights (network morphism, arXiv 1603.01670).

    Args:
        network: untrained, with the shape of `start`; it may have additional residual blocks after
            those of `start`, and additional inputs and outputs.

    Returns:
        `network`.

    Raises:
        WeightsError: the networks differ in anything else.
    """
    shapes = network.state_dict()
    weights = {k: _padded(k, value, shapes) for k, value in start.state_dict().items()}
    added: list[str] = []
    modules = cast(Iterable[tuple[str, nn.Module]], network.named_modules())
    for name, block in modules:
        keys = [key for key in shapes if key.startswith(f"{name}.")]
        if isinstance(block, ResBlock) and not any(key in weights for key in keys):
            block.silence()
            added += keys
    wrong = [
        k
        for k in shapes
        if k not in added and (k not in weights or weights[k].shape != shapes[k].shape)
    ]
    wrong += [k for k in weights if k not in shapes]
    if wrong:
        raise WeightsError(
            f"weights of another shape ({wrong[0]} and {len(wrong) - 1} others)",
            "those of this recipe's network, or with fewer residual blocks, inputs or outputs",
            "start from others, or change the model in the recipe",
        )
    network.load_state_dict(weights, strict=False)
    return network


def _padded(key: str, weight: Tensor, shapes: dict[str, Tensor]) -> Tensor:
    """A weight of the first or last layer, with zeros for the inputs or outputs it lacks."""
    dim = 1 if key == _INPUT_LAYER else 0
    if key not in (_INPUT_LAYER, *_OUTPUT_LAYER) or key not in shapes:
        return weight
    missing = shapes[key].shape[dim] - weight.shape[dim]
    if missing <= 0:
        return weight
    shape = list(weight.shape)
    shape[dim] = missing
    return torch.cat([weight, weight.new_zeros(shape)], dim)
