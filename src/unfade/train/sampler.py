"""Samplers and data loading: distributes sample indices over steps, micro-batches and processes.

The samples of a step depend on the batch size alone, not on the number of micro-batches or
processes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import torch
from torch.utils.data import DataLoader, Dataset

from unfade.errors import UsageError
from unfade.train.options import LoopOptions
from unfade.train.task import Batch, Task


class _TrainingSamples(Dataset[Batch]):
    """The training samples of a task by their index, without an end."""

    def __init__(self, task: Task) -> None:
        self.task = task

    def __getitem__(self, index: int) -> Batch:
        return self.task.sample("train", index)


def validation_batches(task: Task, count: int, size: int, device: torch.device) -> Iterator[Batch]:
    """Yields the first `count` validation samples of a task, in batches of at most `size`."""
    for first in range(0, count, size):
        samples = [task.sample("validation", i) for i in range(first, min(first + size, count))]
        yield {k: torch.stack([s[k] for s in samples]).to(device) for k in samples[0]}


def validation_batch_size(options: LoopOptions) -> int:
    """The number of validation samples in one forward pass: that of a micro-batch."""
    return max(1, options.batch // options.accumulate)


def check_batch(options: LoopOptions, processes: int) -> None:
    """UsageError if the batch of a step cannot be divided into equal micro-batches."""
    micro, rest = divmod(options.batch, options.accumulate * processes)
    if rest or not micro:
        raise UsageError(
            f"a batch of {options.batch}",
            f"a multiple of {options.accumulate} micro-batches in {processes} processes",
            "change batch or accumulate in the recipe",
        )


def sample_indices(
    step: int, options: LoopOptions, rank: int, processes: int
) -> Iterator[list[int]]:
    """Yields the sample indices of each micro-batch of one process, from a step to the last.

    A step uses the indices from `step * batch` to `(step + 1) * batch - 1`. Each micro-batch is a
    range of them that the processes divide among themselves.

    Args:
        rank: number of this process, from 0.
        processes: number of processes.

    Raises:
        UsageError: the batch cannot be divided into equal micro-batches.
    """
    check_batch(options, processes)
    micro = options.batch // (options.accumulate * processes)
    for first in range(step * options.batch, options.steps * options.batch, micro * processes):
        yield list(range(first + rank * micro, first + (rank + 1) * micro))


def batches(
    task: Task, step: int, options: LoopOptions, rank: int, processes: int
) -> Iterator[Batch]:
    """Yields the micro-batches of one process, `options.accumulate` for each remaining step."""
    indices = sample_indices(step, options, rank, processes)
    workers = min(options.workers, os.cpu_count() or 1)  # samples are the same with any number
    loader = DataLoader(
        _TrainingSamples(task),
        batch_sampler=indices,
        num_workers=workers,
        pin_memory=torch.cuda.is_available(),
    )
    return iter(loader)
