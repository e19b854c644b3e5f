"""Which samples a process sees, and when: by number, whatever the batch and the processes."""

from __future__ import annotations

import os
from collections.abc import Iterator

import torch
from torch.utils.data import DataLoader, Dataset

from unfade.errors import UsageError
from unfade.train.options import LoopOptions
from unfade.train.task import Batch, Task

HELD_OUT = 1 << 40  # sample numbers from here on no training reaches: they are for checking


class _Numbered(Dataset[Batch]):
    """The samples of a task by their numbers, which have no end."""

    def __init__(self, task: Task) -> None:
        self.task = task

    def __getitem__(self, index: int) -> Batch:
        return self.task.sample(index)


def held_out(task: Task, count: int, size: int, device: torch.device) -> Iterator[Batch]:
    """The first held-out samples of a task, in batches of at most `size`."""
    for first in range(0, count, size):
        samples = [task.sample(HELD_OUT + i) for i in range(first, min(first + size, count))]
        yield {k: torch.stack([s[k] for s in samples]).to(device) for k in samples[0]}


def validation_batch(options: LoopOptions) -> int:
    """How many held-out samples go through the networks at a time: those of a micro-batch."""
    return max(1, options.batch // options.accumulate)


def check_batch(options: LoopOptions, processes: int) -> None:
    """UsageError where the batch of a step does not part evenly."""
    micro, rest = divmod(options.batch, options.accumulate * processes)
    if rest or not micro:
        raise UsageError(
            f"a batch of {options.batch}",
            f"a multiple of {options.accumulate} micro-batches in {processes} processes",
            "change batch or accumulate in the recipe",
        )


def numbers(step: int, options: LoopOptions, rank: int, processes: int) -> Iterator[list[int]]:
    """The samples of each micro-batch of one process, from a step of the run to its end.

    A step's samples are those of `step * batch` and the following; each of its micro-batches is
    a run of them that the processes part among themselves.

    Raises:
        UsageError: the batch does not part evenly.
    """
    check_batch(options, processes)
    micro = options.batch // (options.accumulate * processes)
    for first in range(step * options.batch, options.steps * options.batch, micro * processes):
        yield list(range(first + rank * micro, first + (rank + 1) * micro))


def batches(
    task: Task, step: int, options: LoopOptions, rank: int, processes: int
) -> Iterator[Batch]:
    """The micro-batches of one process, `options.accumulate` for each step that is left."""
    chosen = numbers(step, options, rank, processes)
    workers = min(options.workers, os.cpu_count() or 1)  # samples are the same with any number
    loader = DataLoader(
        _Numbered(task), batch_sampler=chosen, num_workers=workers,
        pin_memory=torch.cuda.is_available(),
    )  # fmt: skip
    return iter(loader)
