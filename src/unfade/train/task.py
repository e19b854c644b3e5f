"""Interfaces of a training task: network, samples, loss, validation, export."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

from torch import Tensor, nn

Batch = dict[str, Tensor]
#: "initialization": samples that a network is fitted to before its training.
Split = Literal["train", "initialization", "validation"]

_FIRST_INDEX: dict[Split, int] = {"train": 0, "initialization": 1 << 39, "validation": 1 << 40}


def random_index(split: Split, index: int) -> int:
    """The index into the random streams of a run (`rng.generator`) for a sample of a split.

    No training reaches the indices of the other splits.
    """
    return _FIRST_INDEX[split] + index


class WithoutNetworks:
    """Leaves out its networks when it is copied into a process that prepares samples.

    Processes that are spawned (Windows, macOS) copy the task. A base model has gigabytes, and
    `sample` needs none of it. `_networks` names the attributes to leave out.
    """

    _networks: tuple[str, ...] = ()

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in self.__dict__.items() if k not in self._networks}


class Task(Protocol):
    """A kind of training: a network, its samples and its loss."""

    def build(self) -> nn.Module:
        """The untrained network; only its parameters are trained, averaged and saved."""
        ...

    def sample(self, split: Split, index: int) -> Batch:
        """A sample without batch dimension; the same for the same seed, split and index."""
        ...

    def loss(self, model: nn.Module, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        """The mean loss of a batch, on the network's device, and figures for the log."""
        ...

    def validate(self, model: nn.Module, path: Path) -> dict[str, float]:
        """Writes a grid of validation samples as PNG; returns validation figures."""
        ...


@runtime_checkable
class Exporter(Protocol):
    """Additional methods of a task whose weights are not one file of our own format."""

    def export(self, model: nn.Module, folder: Path) -> None:
        """Writes trained weights to a folder."""
        ...

    def load(self, path: Path) -> nn.Module:
        """Loads exported weights, to start a training from."""
        ...
