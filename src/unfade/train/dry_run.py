"""Runs a short trial of a training, and measures its speed and memory."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import torch

from unfade.data.sources import CleanPhoto, load_folders
from unfade.manifest import peak_memory_mib
from unfade.train.inputs import Inputs
from unfade.train.launch import (
    accelerator,
    check_precision,
    configure_threads_and_memory,
    enough_memory,
)
from unfade.train.loop import train
from unfade.train.options import LoopOptions
from unfade.train.run import prepare, read_recipe, start_from
from unfade.train.sampler import check_batch

STEPS = 20
_WARM = 5  # steps that are not measured: caches fill, kernels are chosen, networks are compiled
_PHOTOS = 32


@dataclass(frozen=True)
class Trial:
    """Measurements of a trial.

    Attributes:
        samples_per_s: of all processes together.
        batch: samples of a step.
        processes: of the training.
        steps: of the whole training.
        peak_gib: of this process: of the card's memory, else of the processor's.
        photos: in all.
        cached: number of photos cached in the trial; 0 if the task caches nothing.
        cache_s: seconds that caching them took.
        cache_gib: size of that.
    """

    samples_per_s: float
    batch: int
    processes: int
    steps: int
    device: str
    peak_gib: float
    photos: int
    cached: int
    cache_s: float
    cache_gib: float

    @property
    def left_s(self) -> float:
        """Estimated seconds of the whole training, without validations."""
        return self.all_cache_s + self.steps * self.batch / self.samples_per_s

    @property
    def all_cache_s(self) -> float:
        """Estimated seconds to compute the cache of all photos."""
        return self.cache_s * self.photos / self.cached if self.cached else 0.0

    @property
    def all_cache_gib(self) -> float:
        """Estimated size of the cache of all photos."""
        return self.cache_gib * self.photos / self.cached if self.cached else 0.0


class _Enough(Exception):
    """Ends the training loop after the trial's steps."""


def dry_run(name: str, data: Sequence[Path], inputs: Inputs) -> Trial:
    """Trains for STEPS steps on at most 32 of the photos, and keeps nothing.

    Raises:
        UsageError, InputError, WeightsError: as `run.train_task`.
    """
    recipe = read_recipe(name, inputs)
    options: LoopOptions = recipe.loop
    configure_threads_and_memory(options)
    photos = load_folders(data)
    group = accelerator()
    check_batch(options, group.num_processes)
    check_precision(group.device, options.precision)
    folder = _shared_folder(group)
    try:
        with enough_memory(group.device):
            return _tried(name, recipe, inputs, photos, folder, group)
    finally:
        group.wait_for_everyone()
        if group.is_main_process:
            shutil.rmtree(folder, ignore_errors=True)


def _tried(
    name: str, recipe: Any, inputs: Inputs, photos: Sequence[CleanPhoto], folder: Path, group: Any
) -> Trial:
    some = photos[:: -(-len(photos) // _PHOTOS)]
    began: list[float] = []
    options: LoopOptions = recipe.loop
    task = prepare(
        name, recipe, inputs, some, folder / "cache", group.device,
        lambda done: began.append(time.perf_counter()),
    )  # fmt: skip
    cache_s = time.perf_counter() - began[0] if began else 0.0
    cached = [path for path in (folder / "cache").rglob("*") if path.is_file()]
    times: list[float] = []

    def watch(step: int, figures: dict[str, float]) -> None:
        times.append(time.perf_counter())
        if step == STEPS:
            raise _Enough

    longer = replace(options, steps=max(options.steps, STEPS + 1), save_every=1 << 30,
                     validate_every=1 << 30)  # fmt: skip
    begun = start_from(name, task, inputs.start)
    with contextlib.suppress(_Enough):
        train(task, longer, folder / "run", start=begun, progress=watch)
    per_s = (STEPS - _WARM) / (times[STEPS - 1] - times[_WARM - 1])
    return Trial(
        samples_per_s=per_s * options.batch, batch=options.batch, processes=group.num_processes,
        steps=options.steps, device=str(group.device), peak_gib=_peak_gib(group.device),
        photos=len(photos), cached=len(some) if cached else 0, cache_s=cache_s if cached else 0.0,
        cache_gib=sum(path.stat().st_size for path in cached) / 2**30,
    )  # fmt: skip


def _shared_folder(group: Any) -> Path:
    """Creates a temporary folder and shares its path with all processes of this machine."""
    from accelerate.utils import (  # pyright: ignore[reportMissingTypeStubs]
        broadcast_object_list,  # pyright: ignore[reportUnknownVariableType]
    )

    names = [tempfile.mkdtemp(prefix="unfade-") if group.is_main_process else ""]
    return Path(cast(list[str], broadcast_object_list(cast(Any, names)))[0])


def _peak_gib(device: torch.device) -> float:
    if device.type == "cuda":
        return torch.cuda.max_memory_reserved(device) / 2**30
    return (peak_memory_mib() or 0.0) / 1024
