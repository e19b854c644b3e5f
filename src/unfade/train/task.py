"""What a kind of training adds to the loop."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from torch import Tensor, nn

Batch = dict[str, Tensor]


class WithoutNetworks:
    """Leaves its networks behind when it is copied into a process that prepares samples.

    That happens where processes are spawned (Windows, macOS), not forked. A base model has
    gigabytes, and `sample` needs none of it. The names of the attributes are in `_networks`.
    """

    _networks: tuple[str, ...] = ()

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in self.__dict__.items() if k not in self._networks}


class Task(Protocol):
    """A kind of training: a network, its samples and its loss."""

    def build(self) -> nn.Module:
        """The untrained network; only what it holds is trained, averaged and saved."""
        ...

    def sample(self, number: int) -> Batch:
        """Sample `number` of the run, without a batch dimension, with all its randomness."""
        ...

    def loss(self, model: nn.Module, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        """The mean loss of a batch, on the network's device, and figures for the log."""
        ...

    def show(self, model: nn.Module, path: Path) -> dict[str, float]:
        """Writes a sheet of validation pictures; returns validation figures."""
        ...


@runtime_checkable
class Exporter(Protocol):
    """What a task adds whose weights are no single network of our own."""

    def export(self, model: nn.Module, folder: Path) -> None:
        """Writes trained weights to a folder."""
        ...

    def load(self, path: Path) -> nn.Module:
        """The network of exported weights, to start from."""
        ...
