"""Determines where a training runs: processes, device, precision."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, cast

import cv2
import torch

from unfade.errors import UsageError
from unfade.models.inference import Precision, reuse_freed_memory
from unfade.train.options import LoopOptions

log = logging.getLogger(__name__)
_POLL_S = 1.0
_LARGEST, _LARGEST_SAVING = 128 << 20, 16 << 20  # bytes of blocks that are kept when freed
_TIMEOUT = timedelta(minutes=30)  # a validation or a checkpoint of one process takes less


def accelerator() -> Any:
    """accelerate's Accelerator: the processes of this training and their device, CUDA or CPU.

    Started alone it is one process; `accelerate launch --num_processes N -m unfade train ...`
    starts several. Calling this again gives the same group.

    Raises:
        UsageError: accelerate is not installed, or was told to part the network (FSDP, DeepSpeed).
    """
    try:
        import accelerate  # pyright: ignore[reportMissingTypeStubs]
        from accelerate import utils  # pyright: ignore[reportMissingTypeStubs]
    except ImportError as error:
        raise UsageError(
            "no accelerate",
            "the libraries for training",
            "pip install '.[train]' in a clone of unfade",
        ) from error
    timeout = cast(Any, utils).InitProcessGroupKwargs(timeout=_TIMEOUT)
    group = cast(Any, accelerate).Accelerator(
        cpu=not torch.cuda.is_available(), kwargs_handlers=[timeout]
    )
    kind = group.distributed_type.value
    if kind not in ("NO", "MULTI_GPU", "MULTI_CPU"):
        raise UsageError(
            f"a launch with {kind}", "processes that each hold the whole network",
            "launch without it (accelerate launch --multi_gpu): a ControlNet in training and its "
            "frozen base model fit one card of 16 GB",
        )  # fmt: skip
    return group


def configure_threads_and_memory(options: LoopOptions) -> None:
    """How a training uses the processor's threads and memory.

    The trainer and its workers share the cores. Memory that was freed is kept for the next layer;
    where memory is to be saved, large blocks go back to the system instead: weights and gradients
    would leave holes among the activations, which at the size of Stable Diffusion took 1.5 GiB.
    """
    cv2.setNumThreads(1)
    reuse_freed_memory(_LARGEST_SAVING if options.checkpointing else _LARGEST)


def check_precision(device: torch.device, precision: Precision) -> None:
    """Rejects bf16 on GPUs that only emulate it; warns if "auto" does not use it.

    Raises:
        UsageError: precision is "bf16", and the card does not have it in hardware.
    """
    if device.type != "cuda" or torch.cuda.is_bf16_supported(including_emulation=False):
        return
    card = torch.cuda.get_device_name(device)
    if precision == "bf16":
        fix = 'set precision = "fp32" in the recipe: it takes more memory and time'
        raise UsageError(f"bf16 on {card}", "a GPU that has bf16 in hardware", fix)
    if precision == "auto":
        log.warning("%s has no bf16 in hardware: training in fp32, in more memory and time", card)


@contextmanager
def enough_memory(device: torch.device) -> Generator[None]:
    """Turns an out-of-memory error into a UsageError that says what to change.

    Raises:
        UsageError: it does not.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise UsageError(
            f"too little free memory on {device}", "room for the networks and a micro-batch",
            "double accumulate or set checkpointing = true in the recipe, make the windows smaller "
            "(views.size), or close other programs that use the card",
        ) from error  # fmt: skip


def share() -> tuple[int, int]:
    """The index of this process, from 0, and the number of processes."""
    group = accelerator()
    return group.process_index, group.num_processes


def wait_for(there: Callable[[], bool]) -> None:
    """Waits until another process has done its part; the launcher ends both if one fails."""
    while not there():
        time.sleep(_POLL_S)
