"""Starting a larger network from the weights of a smaller one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import torch
from torch import Tensor, nn

from unfade.errors import WeightsError
from unfade.models.blocks import ResBlock
from unfade.models.tone_field import FieldNet


def grow(network: nn.Module, start: nn.Module) -> nn.Module:
    """Gives a network the weights of another; blocks that this one lacks change nothing at first.

    So it computes what the other does, and can learn more (net morphism, arXiv 1603.01670). What
    it sees or says beyond the other counts nothing at first.

    Args:
        network: fresh, of the same shape but for residual blocks added behind others, a network of
            uneven fading, and inputs and outputs added behind the others'.

    Returns:
        `network`.

    Raises:
        WeightsError: the two differ in more than that.
    """
    own = network.state_dict()
    given = {k: _widened(k, value, own) for k, value in start.state_dict().items()}
    added: list[str] = []
    modules = cast(Iterable[tuple[str, nn.Module]], network.named_modules())
    for name, block in modules:
        keys = [key for key in own if key.startswith(f"{name}.")]
        if isinstance(block, ResBlock | FieldNet) and not any(key in given for key in keys):
            block.silence()
            added += keys
    wrong = [
        k for k in own if k not in added and (k not in given or given[k].shape != own[k].shape)
    ]
    wrong += [k for k in given if k not in own]
    if wrong:
        raise WeightsError(
            f"weights of another shape ({wrong[0]} and {len(wrong) - 1} others)",
            "those of this recipe's network, or with fewer residual blocks, inputs or outputs",
            "start from others, or change the model in the recipe",
        )  # fmt: skip
    network.load_state_dict(given, strict=False)
    return network


def _widened(key: str, given: Tensor, own: dict[str, Tensor]) -> Tensor:
    """A weight of the first or last layer with zeros for inputs or outputs that it lacks."""
    first, last = "net.enter.weight", ("net.leave.weight", "net.leave.bias")
    dim = 1 if key == first else 0
    if key not in (first, *last) or key not in own or own[key].shape[dim] <= given.shape[dim]:
        return given
    shape = list(given.shape)
    shape[dim] = own[key].shape[dim] - given.shape[dim]
    return torch.cat([given, given.new_zeros(shape)], dim)
