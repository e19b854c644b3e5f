"""Where a training runs: one process or several, a processor or cards."""

from __future__ import annotations

from typing import Any, cast

import torch

from unfade.errors import UsageError


def accelerator() -> Any:
    """accelerate's Accelerator: the processes of this training and their device, CUDA or CPU.

    Started alone it is one process; `accelerate launch --num_processes N -m unfade train ...`
    starts several. Calling this again gives the same group.

    Raises:
        UsageError: accelerate is not installed.
    """
    try:
        import accelerate  # pyright: ignore[reportMissingTypeStubs]
    except ImportError as error:
        raise UsageError(
            "no accelerate", "the libraries for training", "pip install 'unfade[train]'"
        ) from error
    return cast(Any, accelerate).Accelerator(cpu=not torch.cuda.is_available())
